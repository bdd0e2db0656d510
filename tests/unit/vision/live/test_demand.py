import pytest

from services.engine.domain import Answer, FinishReason
from services.vision.live.demand import LOOK_SECONDS, Demand
from services.vision.live.domain import Settings, Shot, Wanted, Whole
from services.vision.live.steps import Ask, Look, Tell, Wait
from services.vision.live.stream import Stream
from tests.doubles.frame_scripts import Shade, frame, made

ON_DEMAND = Settings(window=3, on_demand=True)


@pytest.fixture
def stream() -> Stream:
    stream = made()
    stream.set(ON_DEMAND)
    return stream


def test_a_frame_is_wanted_once_and_again_when_the_last_has_come_and_been_a_while() -> None:
    demand = Demand()
    assert demand.look(1.0, 0.0) == Wanted(1)
    assert demand.look(1.5, 0.0) is None
    assert not demand.came(more=False)
    assert demand.look(1.05, 0.0) == pytest.approx(1.0 + LOOK_SECONDS)
    assert demand.look(1.2, 3.0) == 3.0
    assert demand.look(3.0, 3.0) == Wanted(1)


def test_a_single_frame_that_just_came_is_new_enough_and_one_of_several_is_not() -> None:
    demand = Demand()
    assert demand.renew(Settings(window=1), newest=1.0, now=1.01) is None
    assert not demand.is_renewing
    assert demand.renew(Settings(window=1), newest=1.0, now=1.2) == Wanted(1, at_once=True)
    assert demand.renew(Settings(window=3), newest=1.0, now=1.01) == Wanted(3, at_once=True)
    assert demand.is_renewing


def test_frames_that_are_wanted_are_looked_at_and_the_next_is_wanted(stream: Stream) -> None:
    assert stream.next(0) == Tell(Wanted(1))
    assert stream.next(0) == Wait()
    stream.add(frame(0.01))
    assert isinstance(stream.next(0.01), Ask)
    assert stream.renew(0.01) == Wanted(3, at_once=True)
    for at in (0.0, 0.01, 0.02):
        assert stream.is_renewing
        stream.add(frame(at), more=at < 0.02)
    assert not stream.is_renewing
    shot = stream.begin(0.03)
    assert shot is not None
    assert [it.id for it in shot.frames] == ["0", "0.01", "0.02"]


def test_a_scene_that_stays_is_looked_at_again_and_again(stream: Stream) -> None:
    answered(stream)
    assert stream.next(1.0) == Tell(Wanted(1))
    stream.add(frame(1.01))
    step = stream.next(1.01)
    assert isinstance(step, Look)
    stream.looked(step.frame, Shade(0))
    assert stream.next(1.01) == Wait(1.0 + LOOK_SECONDS)
    assert stream.next(1.2) == Tell(Wanted(1))
    assert stream.next(1.2) == Wait(1.5)


def test_nothing_is_done_before_the_last_of_frames_that_follow_each_other(stream: Stream) -> None:
    stream.add(frame(0), more=True)
    assert stream.next(0) == Wait()
    stream.add(frame(0.01))
    assert isinstance(stream.next(0.01), Ask)


def test_an_answer_does_not_wait_for_a_watcher_who_has_ended(stream: Stream) -> None:
    stream.add(frame(0))
    stream.end()
    assert stream.renew(0) is None
    assert stream.begin(0) is not None


def test_frames_for_which_newer_ones_came_in_time_are_counted_as_dropped(stream: Stream) -> None:
    stream.add(frame(0))
    stream.renew(0)
    for at in (0.1, 0.2):
        stream.add(frame(at), more=at < 0.2)
    shot = stream.begin(0.2)
    assert shot is not None
    assert [it.id for it in shot.frames] == ["0.1", "0.2"]
    assert answer_to(stream, shot, 0.5).counts.dropped == 1


def answered(stream: Stream) -> None:
    stream.add(frame(0))
    shot = stream.begin(0)
    assert shot is not None
    answer_to(stream, shot, 0.5)


def answer_to(stream: Stream, shot: Shot, now: float) -> Whole:
    shot.frames[-1].seen = Shade(0)
    return stream.answered(shot, Answer("seen", FinishReason.STOP, 1, 2, "m"), now)
