import itertools

import pytest

from services.chassis import limits
from services.chassis.pool import Account, Pool
from services.vision.live.domain import Frame, Spread
from services.vision.live.window import Window
from tests.doubles.frame_scripts import frame


def window(most: int, spread: Spread, pool: Pool | None = None) -> Window:
    made = Window(Account(pool or Pool(1 << 40, holders=1)))
    made.shape(most, spread)
    return made


def kept(of: Window) -> list[float]:
    return [it.received for it in of]


def test_the_newest_stay_and_the_oldest_are_given_back() -> None:
    newest = window(3, Spread.NEWEST)
    left = [gone for at in range(9) for gone in newest.add(frame(at))]
    assert kept(newest) == [6, 7, 8]
    assert [it.received for it in left] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("most", [2, 3, 4, 5, 8, 16])
@pytest.mark.parametrize("count", [1, 5, 17, 64, 65, 300, 1_000])
def test_frames_stay_spread_over_all_the_time(most: int, count: int) -> None:
    spread = window(most, Spread.SINCE_LAST_REPLY)
    for at in range(count):
        spread.add(frame(at))
    times = kept(spread)
    assert len(times) == min(most, count)
    assert times[-1] == count - 1
    if most > 2:
        assert times[0] == 0
    gaps = [b - a for a, b in itertools.pairwise(times)]
    # Each is at most twice the share that it would have if they lay evenly.
    assert all(it <= 2 * -(-count // max(1, len(gaps))) for it in gaps)


def test_of_one_frame_the_newest_stays_whatever_the_spread() -> None:
    for spread in Spread:
        one = window(1, spread)
        for at in range(5):
            one.add(frame(at))
        assert kept(one) == [4]


@pytest.mark.parametrize("spread", Spread)
def test_no_more_bytes_are_kept_than_the_limit(spread: Spread) -> None:
    heavy = window(16, spread)
    size = limits.WINDOW_BYTES // 4
    for at in range(40):
        heavy.add(frame(at, size=size))
        assert sum(len(it.data) for it in heavy) <= limits.WINDOW_BYTES
    assert len(kept(heavy)) == 4


def test_a_frame_above_the_limit_of_a_window_is_kept_alone() -> None:
    heavy = window(4, Spread.NEWEST)
    heavy.add(frame(1))
    left = heavy.add(frame(2, size=limits.WINDOW_BYTES + 1))
    assert kept(heavy) == [2]
    assert [it.received for it in left] == [1]


def test_what_was_taken_is_put_back_before_what_came_since() -> None:
    for spread in Spread:
        taken_from = window(3, spread)
        for at in range(3):
            taken_from.add(frame(at))
        taken = taken_from.take()
        assert kept(taken_from) == ([0, 1, 2] if spread is Spread.NEWEST else [])
        taken_from.add(frame(3))
        left = taken_from.put_back(taken)
        assert len(kept(taken_from)) == 3
        assert kept(taken_from)[-1] == 3
        assert len(left) == 1


def test_removing_a_frame_that_is_gone_is_no_mistake() -> None:
    some = window(1, Spread.NEWEST)
    first: Frame = frame(1)
    some.add(first)
    some.remove(first)
    some.remove(first)
    assert kept(some) == []


def test_what_all_keep_is_bounded_and_each_keeps_its_part() -> None:
    pool = Pool(8_000, holders=4)
    greedy, modest = (window(16, Spread.NEWEST, pool) for _ in range(2))
    for at in range(20):
        greedy.add(frame(at, size=500))
        assert pool.held == sum(len(it.data) for it in greedy)
    assert len(kept(greedy)) == 10
    for at in range(20):
        modest.add(frame(at, size=500))
    assert kept(modest) == [18, 19]
    greedy.take()
    assert len(kept(greedy)) == 10
    for it in greedy:
        greedy.remove(it)
    assert pool.held == 1_000
    modest.add(frame(20, size=5_000))
    assert kept(modest) == [20]


@pytest.mark.parametrize("spread", Spread)
def test_a_frame_for_which_there_is_no_room_is_given_back_alone(spread: Spread) -> None:
    pool = Pool(2_000, holders=1)
    small = window(4, spread, pool)
    assert small.add(frame(0, size=1_500)) == []
    left = small.add(frame(1, size=3_000))
    assert [it.received for it in left] == [0, 1]
    assert (kept(small), pool.held) == ([], 0)
