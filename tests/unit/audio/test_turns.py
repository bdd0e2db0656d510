import asyncio
import threading

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


@pytest.fixture
def turns():
    turns = Turns()
    yield turns
    turns.close()


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


def test_the_mean_follows_a_machine_that_gets_busy(turns):
    turns.note(1.0)
    assert turns.mean_seconds == 1.0
    for _ in range(20):
        turns.note(3.0)
    assert 2.9 < turns.mean_seconds <= 3.0
