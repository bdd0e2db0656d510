from datetime import timedelta

import pytest

from services.jobs.content import JobType
from services.jobs.throttle import Throttle
from tests.doubles.machines import HandClock

CAPTION, TRANSCRIPTION = JobType.CAPTION_V1, JobType.TRANSCRIPTION_V1
AT_ONCE = timedelta()


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def throttle(clock):
    return Throttle(8, clock)


def refuse(throttle, clock, times=1):
    for _ in range(times):
        throttle.refused(CAPTION, AT_ONCE)
        clock.seconds += 1


def test_nothing_is_held_back_while_nobody_refuses(throttle):
    throttle.began(CAPTION)
    throttle.ended(CAPTION, done=True)
    assert throttle.bounds() == {}


def test_a_type_that_is_refused_rests_and_others_go_on(throttle, clock):
    throttle.refused(CAPTION, AT_ONCE)
    assert throttle.bounds() == {CAPTION: 0}
    clock.seconds += 0.99
    assert throttle.bounds() == {CAPTION: 0}


def test_it_rests_for_as_long_as_is_asked(throttle, clock):
    throttle.refused(CAPTION, timedelta(seconds=30))
    clock.seconds += 29
    assert throttle.bounds() == {CAPTION: 0}
    clock.seconds += 1
    assert throttle.bounds() == {CAPTION: 4}


def test_each_round_of_refusals_halves_the_places_down_to_one(throttle, clock):
    for left in (4, 2, 1, 1):
        refuse(throttle, clock)
        assert throttle.bounds() == {CAPTION: left}


def test_those_taken_up_together_are_refused_together_and_count_once(throttle, clock):
    for _ in range(8):
        throttle.refused(CAPTION, AT_ONCE)
    clock.seconds += 1
    assert throttle.bounds() == {CAPTION: 4}


def test_those_that_are_worked_on_take_places(throttle, clock):
    for _ in range(5):
        throttle.began(CAPTION)
    throttle.began(TRANSCRIPTION)
    refuse(throttle, clock)
    assert throttle.bounds() == {CAPTION: 0}
    throttle.ended(CAPTION, done=False)
    throttle.ended(CAPTION, done=False)
    assert throttle.bounds() == {CAPTION: 1}


def test_each_job_that_is_done_gives_a_place_back_until_all_are(throttle, clock):
    refuse(throttle, clock, times=3)
    for places in range(2, 8):
        throttle.began(CAPTION)
        throttle.ended(CAPTION, done=True)
        assert throttle.bounds() == {CAPTION: places}
    throttle.began(CAPTION)
    throttle.ended(CAPTION, done=True)
    assert throttle.bounds() == {}


def test_what_was_done_before_does_not_cut_the_rest_short(clock):
    throttle = Throttle(1, clock)
    throttle.began(CAPTION)
    throttle.refused(CAPTION, AT_ONCE)
    throttle.ended(CAPTION, done=True)
    assert throttle.bounds() == {CAPTION: 0}
    clock.seconds += 1
    assert throttle.bounds() == {}
