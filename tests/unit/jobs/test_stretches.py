from datetime import UTC, datetime, timedelta

import pytest

from services.jobs.pipelines.stretches import Stretch, spans, timeline

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MARKS = {"x": True, ".": False, "?": None}


def line(drawn, *, at=None, pause=0.0):
    """Pictures two seconds apart, or at the seconds given; None has no time."""
    seconds = at if at is not None else [2.0 * index for index in range(len(drawn))]
    times = [None if it is None else NOON + timedelta(seconds=it) for it in seconds]
    return timeline([MARKS[it] for it in drawn], times, most_pause=timedelta(seconds=pause))


def found(drawn, **options):
    return [(it.stretch.start, it.stretch.end) for it in line(drawn, **options).found]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ("", []),
        ("....", []),
        ("xxxx", [(0, 3)]),
        (".xxx.", [(1, 3)]),
        (".xx.", [(1, 2)]),
        ("xx..xx", [(0, 1), (4, 5)]),
    ],
)
def test_steady_stretches_are_found_as_they_are(drawn, expected):
    assert found(drawn) == expected


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [(".xx.xx.", [(1, 5)]), ("x.x", [(0, 2)]), (".x.x.x.", [(1, 5)]), ("xxx?xxx", [(0, 6)])],
)
def test_a_single_picture_that_misses_the_task_is_overruled(drawn, expected):
    assert found(drawn) == expected


@pytest.mark.parametrize(("drawn", "expected"), [("x..xxx...x", [(3, 5)]), ("..x...xx", [(6, 7)])])
def test_a_flicker_beside_a_longer_stretch_is_left_out(drawn, expected):
    assert found(drawn) == expected


@pytest.mark.parametrize(("drawn", "expected"), [("..x..", [(2, 2)]), ("x", [(0, 0)])])
def test_a_single_picture_is_kept_when_nothing_longer_is_found(drawn, expected):
    assert found(drawn) == expected


def test_pictures_that_tell_nothing_are_passed_over():
    assert found("..????xx????xx????..") == [(6, 13)]


def test_a_boundary_lies_between_two_pictures_that_tell():
    [only] = line("..?xxx?..").found
    assert (only.begin.before, only.begin.after) == (1, 3)
    assert (only.finish.before, only.finish.after) == (5, 7)
    assert not only.begin.is_open
    assert not only.finish.is_open


def test_a_boundary_is_the_surer_the_more_its_pictures_agree():
    [sure], [torn] = line("....xxxx....").found, line("..x.xxxx....").found
    assert 0.85 < sure.begin.confidence <= 1
    assert torn.begin.confidence < sure.begin.confidence
    assert torn.begin.confidence < torn.finish.confidence


def test_how_often_pictures_err_is_learnt_from_them():
    errs = "." * 20 + "xx.xx..xx.x.xx..xx.xxx.xx" + "." * 20
    assert found(errs) == [(20, 44)]
    sound = "." * 20 + "xxxxxx..xxxxxxxxxxxxxxxxx" + "." * 20
    assert len(found(sound)) == 2


def test_a_task_that_never_ends_is_open():
    [only] = line("...xxx").found
    assert (only.finish.before, only.finish.after, only.finish.is_open) == (5, None, True)
    assert not only.begin.is_open


def test_a_task_that_was_always_there_is_open():
    [only] = line("xxx...").found
    assert (only.begin.before, only.begin.after, only.begin.is_open) == (None, 0, True)


HOUR = [0, 2, 4, 6, 3606, 3608, 3610, 3612]


def test_nobody_says_what_went_on_while_nobody_watched():
    before, after = line(".xxxxxx.", at=HOUR).found
    assert (before.stretch, after.stretch) == (Stretch(1, 3), Stretch(4, 6))
    assert (before.finish.is_open, after.begin.is_open) == (True, True)
    assert (before.begin.is_open, after.finish.is_open) == (False, False)


def test_a_picture_is_not_overruled_by_those_of_another_hour():
    with_gap = line("xxxx.xxx", at=[0, 2, 4, 6, 3606, 7206, 7208, 7210])
    assert with_gap.likely[4] < 0.5
    assert line("xxxx.xxx").likely[4] > 0.5


def test_the_longer_nobody_looked_the_less_a_neighbour_counts():
    near, far = line("xx.x"), line("xx.x", at=[0, 2, 22, 24])
    assert near.likely[2] > far.likely[2]


def test_a_picture_that_comes_twice_counts_once():
    assert found("xxx..xxx", at=[0, 2, 4, 6, 6, 8, 10, 12]) == [(0, 7)]
    assert line("xx..", at=[0, 2, 4, 4]).says == (True, True, False, None)


def test_two_pictures_of_one_moment_that_differ_both_count():
    assert line("x.", at=[0, 0]).says == (True, False)


@pytest.mark.parametrize("at", [[None] * 6, [0, 2, None, None, 8, 10], [10, 8, 6, 4, 2, 0]])
def test_pictures_whose_times_do_not_tell_stand_at_the_usual_distance(at):
    assert found(".xx.x.", at=at) == found(".xx.x.")


def test_a_pause_no_longer_than_allowed_interrupts_a_task():
    [only] = line(".xxx....xxx.", pause=10).found
    assert only.stretch == Stretch(1, 10)
    assert only.pauses == (Stretch(4, 7),)
    assert found(".xxx....xxx.", pause=9) == [(1, 3), (8, 10)]


def test_an_allowed_pause_is_watched_however_long():
    assert found("xx..xx", at=[0, 2, 4, 3604, 3606, 3608], pause=3700) == [(0, 5)]


def test_without_times_no_pause_is_short():
    assert found("xxx...xxx", at=[None] * 9, pause=100) == [(0, 2), (6, 8)]


def test_a_long_series_keeps_its_figures():
    likely = line("." * 600 + "x" * 600).likely
    assert len(likely) == 1200
    assert likely[0] < 0.01
    assert likely[-1] > 0.99


def test_spans_keep_a_single_picture_and_close_a_single_gap():
    assert spans([True, False, True, False, False, True]) == [Stretch(0, 2), Stretch(5, 5)]
