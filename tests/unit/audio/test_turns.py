import asyncio
import itertools
import threading
from contextlib import asynccontextmanager

import pytest

from services.audio.turns import Turns


class Gate:
    """Work that begins and goes on when it is told."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.go.wait(10)
        return "done"


class Ears:
    """Hears whole batches, and fails of the parts that are bad."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, parts):
        self.batches.append(list(parts))
        if "bad" in parts:
            raise ValueError("bad")
        return [part.upper() for part in parts]


class Watch:
    """A clock on which a second passes between any two looks."""

    def __init__(self) -> None:
        self.seconds = itertools.count()

    def monotonic(self) -> float:
        return float(next(self.seconds))


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture
def turns(ears):
    turns = Turns(ears, most=3, clock=Watch())
    yield turns
    turns.close()


@asynccontextmanager
async def busy(turns):
    """The model is at work until the end."""
    gate = Gate()
    first = asyncio.create_task(turns.take(gate, since=0))
    assert await asyncio.to_thread(gate.begun.wait, 10)
    yield
    gate.go.set()
    await first


def joined(turns, part, since):
    return asyncio.create_task(turns.join(lambda: part, since=since))


async def test_who_has_waited_longest_goes_first(turns):
    gate, order = Gate(), list[float]()
    first = asyncio.create_task(turns.take(gate, since=0))
    assert await asyncio.to_thread(gate.begun.wait, 10)
    others = [
        asyncio.create_task(turns.take(lambda it=since: order.append(it), since=since))
        for since in (3.0, 1.0, 2.0)
    ]
    await asyncio.sleep(0)
    assert turns.waiting == 3
    gate.go.set()
    await asyncio.gather(first, *others)
    assert order == [1.0, 2.0, 3.0]
    assert turns.waiting == 0


async def test_who_stops_waiting_has_no_turn(turns):
    gate, order = Gate(), list[str]()
    first = asyncio.create_task(turns.take(gate, since=0))
    assert await asyncio.to_thread(gate.begun.wait, 10)
    gone = asyncio.create_task(turns.take(lambda: order.append("gone"), since=1))
    stays = asyncio.create_task(turns.take(lambda: order.append("stays"), since=2))
    await asyncio.sleep(0)
    gone.cancel()
    gate.go.set()
    await asyncio.gather(first, stays)
    assert order == ["stays"]


async def test_work_under_way_is_never_overtaken_though_its_caller_leaves(turns):
    gate = Gate()
    first = asyncio.create_task(turns.take(gate, since=0))
    assert await asyncio.to_thread(gate.begun.wait, 10)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(turns.take(lambda: "second", since=1))
    await asyncio.sleep(0)
    assert turns.waiting == 1
    gate.go.set()
    assert await second == "second"


async def test_work_that_fails_frees_the_model(turns):
    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await turns.take(fail, since=0)
    assert await turns.take(lambda: 7, since=0) == 7


async def test_parts_that_wait_at_the_same_moment_are_done_together_oldest_first(turns, ears):
    async with busy(turns):
        parts = [joined(turns, part, since) for part, since in (("b", 2), ("a", 1), ("c", 3))]
        await asyncio.sleep(0)
    assert await asyncio.gather(*parts) == ["B", "A", "C"]
    assert ears.batches == [["a", "b", "c"]]


async def test_a_part_waits_for_no_other(turns, ears):
    assert await turns.join(lambda: "a", since=0) == "A"
    assert ears.batches == [["a"]]


async def test_no_more_are_done_together_than_the_model_likes(turns, ears):
    async with busy(turns):
        parts = [joined(turns, str(number), number) for number in range(7)]
        await asyncio.sleep(0)
    await asyncio.gather(*parts)
    assert ears.batches == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


async def test_work_alone_keeps_its_place_among_parts(turns, ears):
    async with busy(turns):
        alone = asyncio.create_task(turns.take(lambda: len(ears.batches), since=2.5))
        parts = [joined(turns, str(number), number) for number in range(1, 6)]
        await asyncio.sleep(0)
    assert await alone == 1
    await asyncio.gather(*parts)
    assert ears.batches == [["1", "2", "3"], ["4", "5"]]


async def test_a_part_is_given_when_its_turn_has_come(turns, ears):
    words = ["early"]
    async with busy(turns):
        late = asyncio.create_task(turns.join(lambda: words[-1], since=1))
        await asyncio.sleep(0)
        words.append("late")
    assert await late == "LATE"


async def test_who_has_nothing_left_when_the_turn_comes_takes_none(turns, ears):
    async with busy(turns):
        nothing, part = joined(turns, None, 1), joined(turns, "a", 2)
        await asyncio.sleep(0)
    assert await asyncio.gather(nothing, part) == [None, "A"]
    assert ears.batches == [["a"]]


async def test_a_part_that_fails_fails_nobody_beside_it(turns, ears):
    async with busy(turns):
        good, bad = joined(turns, "good", 1), joined(turns, "bad", 2)
        await asyncio.sleep(0)
    assert await good == "GOOD"
    with pytest.raises(ValueError, match="bad"):
        await bad
    assert await turns.join(lambda: "next", since=0) == "NEXT"


async def test_a_part_that_cannot_be_given_fails_nobody_else(turns, ears):
    def broken() -> str:
        raise KeyError("gone")

    async with busy(turns):
        bad = asyncio.create_task(turns.join(broken, since=1))
        good = joined(turns, "good", 2)
        await asyncio.sleep(0)
    with pytest.raises(KeyError):
        await bad
    assert await good == "GOOD"


async def test_who_leaves_takes_nothing_from_those_beside_them(turns, ears):
    async with busy(turns):
        gone, stays = joined(turns, "gone", 1), joined(turns, "stays", 2)
        await asyncio.sleep(0)
        gone.cancel()
    assert await stays == "STAYS"
    assert ears.batches == [["stays"]]


async def test_what_a_part_takes_is_its_share_of_the_batch(turns):
    async with busy(turns):
        parts = [joined(turns, part, 1) for part in ("a", "b")]
        await asyncio.sleep(0)
    await asyncio.gather(*parts)
    assert turns.mean_seconds == 0.5


def test_the_mean_follows_a_machine_that_gets_busy(turns):
    turns.note(1.0)
    assert turns.mean_seconds == 1.0
    for _ in range(20):
        turns.note(3.0)
    assert 2.9 < turns.mean_seconds <= 3.0
