import asyncio

import pytest

from services.chassis.errors import Exhausted
from services.engine.gate import Gate


async def test_no_more_than_its_calls_are_at_work_and_the_others_take_turns() -> None:
    gate = Gate(calls=2, waiting=3)
    at_work, most, done = 0, 0, []

    async def call(number: int) -> None:
        nonlocal at_work, most
        async with gate.turn():
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1
            done.append(number)

    async with asyncio.TaskGroup() as calls:
        for number in range(5):
            calls.create_task(call(number))
    assert most == 2
    assert done == [0, 1, 2, 3, 4]


async def test_one_more_than_may_wait_is_refused_at_once_with_a_time_to_try_again() -> None:
    gate = Gate(calls=1, waiting=0)
    async with gate.turn():
        with pytest.raises(Exhausted) as refused:
            async with gate.turn():
                pass
    assert refused.value.retry_after
    async with gate.turn():
        pass


async def test_a_caller_that_leaves_while_it_waits_gives_its_place_back() -> None:
    gate = Gate(calls=1, waiting=1)
    async with gate.turn():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), gate.turn():
                pass
        waiter = asyncio.create_task(_pass(gate))
        await asyncio.sleep(0)
        assert not waiter.done()
    await waiter


async def test_a_call_that_fails_gives_its_place_back() -> None:
    gate = Gate(calls=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ValueError, match="x"):
            async with gate.turn():
                raise ValueError("x")


async def _pass(gate: Gate) -> None:
    async with gate.turn():
        pass
