import pytest

from services.jobs.pipelines.stretches import Stretch, stretches


def found(drawn):
    return [(it.start, it.end) for it in stretches([mark == "x" for mark in drawn])]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ("", []),
        ("....", []),
        ("xxxx", [(0, 3)]),
        (".xxx.", [(1, 3)]),
        ("xx..xx", [(0, 1), (4, 5)]),
    ],
)
def test_steady_stretches_are_found_as_they_are(drawn, expected):
    assert found(drawn) == expected


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [(".xx.xx.", [(1, 5)]), ("x.x", [(0, 2)]), (".x.x.x.", [(1, 5)])],
)
def test_a_single_picture_that_misses_the_task_is_closed(drawn, expected):
    assert found(drawn) == expected


def test_two_pictures_that_miss_the_task_end_it():
    assert found("xx..xx") == [(0, 1), (4, 5)]


@pytest.mark.parametrize(("drawn", "expected"), [("x..xxx...x", [(3, 5)]), ("..x...xx", [(6, 7)])])
def test_a_flicker_beside_a_longer_stretch_is_left_out(drawn, expected):
    assert found(drawn) == expected


@pytest.mark.parametrize(("drawn", "expected"), [("..x..", [(2, 2)]), ("x", [(0, 0)])])
def test_a_single_picture_is_kept_when_nothing_longer_is_found(drawn, expected):
    assert found(drawn) == expected


def test_both_ends_belong_to_a_stretch():
    assert stretches([False, True, True]) == [Stretch(1, 2)]
