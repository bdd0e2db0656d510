import asyncio
from datetime import timedelta

import pytest

from services.chassis import call
from services.chassis.call import Call, Priority
from services.chassis.errors import Exhausted
from services.engine.gate import Gate
from services.engine.limit import Limit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def gate_of(calls: int, waiting: int = 9, clock: Clock | None = None) -> Gate:
    limit = Limit(most=calls, start=calls)
    return Gate(limit, waiting=waiting, waiting_bytes=100, clock=clock or Clock())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Caller:
    """Takes a turn and holds it until it is told to end."""

    def __init__(self, gate: Gate, order: list[str], name: str = "", **known: object) -> None:
        self.end = asyncio.Event()
        self.task = asyncio.create_task(self._run(gate, order, name, Call(**known)))  # type: ignore[arg-type]

    async def _run(self, gate: Gate, order: list[str], name: str, known: Call) -> None:
        with call.use(known):
            async with gate.turn(1):
                order.append(name)
                await self.end.wait()

    async def finish(self) -> None:
        self.end.set()
        await self.task


async def test_no_more_than_its_calls_are_at_work_and_the_others_take_turns() -> None:
    gate = gate_of(2)
    at_work, most, done = 0, 0, []

    async def work(number: int) -> None:
        nonlocal at_work, most
        async with gate.turn(1):
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1
            done.append(number)

    async with asyncio.TaskGroup() as calls:
        for number in range(5):
            calls.create_task(work(number))
    assert most == 2
    assert done == [0, 1, 2, 3, 4]


async def test_who_waits_is_called_by_priority() -> None:
    gate, order = gate_of(1), list[str]()
    callers = [Caller(gate, order, "first")]
    for priority in reversed(Priority):
        await settle()
        callers.append(Caller(gate, order, priority.value, priority=priority))
    await settle()
    for caller in callers:
        caller.end.set()
    await asyncio.gather(*(it.task for it in callers))
    assert order == ["first", "live", "interactive", "job"]


async def test_one_more_than_may_wait_is_refused_at_once_with_a_time_to_try_again() -> None:
    gate = gate_of(1, waiting=0)
    async with gate.turn(1):
        with pytest.raises(Exhausted) as refused:
            async with gate.turn(1):
                pass
    assert refused.value.retry_after == timedelta(seconds=1)
    assert refused.value.remedy
    async with gate.turn(1):
        pass


async def test_more_bytes_than_may_wait_are_refused_at_once_and_so_is_who_only_asks() -> None:
    gate, order = gate_of(1), list[str]()
    gate.require_room(1000)
    holder = Caller(gate, order)
    await settle()
    for refused in (101, 1000):
        with pytest.raises(Exhausted):
            gate.require_room(refused)
        with pytest.raises(Exhausted):
            async with gate.turn(refused):
                pass
    gate.require_room(100)
    waiting = asyncio.create_task(hold(gate, 100))
    await settle()
    with pytest.raises(Exhausted):
        gate.require_room(1)
    await holder.finish()
    await waiting
    gate.require_room(1000)


async def hold(gate: Gate, size: int) -> None:
    async with gate.turn(size):
        pass


async def test_the_time_to_try_again_follows_how_fast_calls_are_answered() -> None:
    clock = Clock()
    gate, order = gate_of(2, waiting=3, clock=clock), list[str]()
    async with gate.turn(1):
        clock.now += 4
    callers = [Caller(gate, order) for _ in range(5)]
    await settle()
    with pytest.raises(Exhausted) as refused:
        await Caller(gate, order).task
    # Three wait for two places of four seconds each; a fourth would wait for 8 seconds.
    assert refused.value.retry_after == timedelta(seconds=8)
    for caller in callers:
        caller.task.cancel()
    await asyncio.gather(*(it.task for it in callers), return_exceptions=True)


async def test_a_call_that_cannot_be_answered_before_its_deadline_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    gate, order = gate_of(1, clock=clock), list[str]()
    async with gate.turn(1):
        clock.now += 10
    holder = Caller(gate, order)
    await settle()
    monkeypatch.setattr(call.time, "monotonic", lambda: 0.0)
    with pytest.raises(Exhausted):
        await Caller(gate, order, deadline=19.0).task
    patient = Caller(gate, order, "patient", deadline=21.0)
    await settle()
    assert not patient.task.done()
    patient.end.set()
    await holder.finish()
    await patient.task
    assert order[-1] == "patient"


async def test_a_short_deadline_does_not_matter_while_a_place_is_free() -> None:
    clock = Clock()
    gate = gate_of(1, clock=clock)
    async with gate.turn(1):
        clock.now += 10
    with call.use(Call(deadline=0.0)):
        async with gate.turn(1):
            pass


async def test_a_tenant_that_fills_a_class_makes_room_for_another() -> None:
    gate, order = gate_of(1, waiting=2), list[str]()
    holder = Caller(gate, order)
    await settle()
    greedy = [Caller(gate, order, f"a{n}", tenant="a") for n in range(2)]
    await settle()
    modest = Caller(gate, order, "b", tenant="b")
    with pytest.raises(Exhausted):
        await greedy[1].task
    for caller in (holder, greedy[0], modest):
        await caller.finish()
    assert order == ["", "a0", "b"]


async def test_a_caller_that_leaves_while_it_waits_gives_its_place_back() -> None:
    gate, order = gate_of(1, waiting=1), list[str]()
    holder = Caller(gate, order)
    await settle()
    leaver = Caller(gate, order)
    await settle()
    leaver.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver.task
    stayer = Caller(gate, order, "stayer")
    await settle()
    await holder.finish()
    await stayer.finish()
    assert order == ["", "stayer"]


async def test_a_caller_that_leaves_just_as_it_is_called_gives_its_place_on() -> None:
    gate, order = gate_of(1), list[str]()
    holder = Caller(gate, order)
    await settle()
    leaver, stayer = Caller(gate, order, "leaver"), Caller(gate, order, "stayer")
    await settle()
    holder.end.set()
    # It is called while the holder ends, and cancelled before it wakes up.
    holder.task.add_done_callback(lambda _: leaver.task.cancel())
    await settle()
    await asyncio.wait([leaver.task])
    assert leaver.task.cancelled()
    await stayer.finish()
    assert order[-1] == "stayer"
    assert "leaver" not in order or leaver.task.cancelled()


async def test_a_call_that_fails_gives_its_place_back() -> None:
    gate = gate_of(1, waiting=0)
    for _ in range(3):
        with pytest.raises(ValueError, match="x"):
            async with gate.turn(1):
                raise ValueError("x")


async def test_an_engine_that_refuses_is_given_less() -> None:
    limit = Limit(most=8, start=8)
    gate = Gate(limit, waiting=0, waiting_bytes=0, clock=Clock())
    with pytest.raises(Exhausted):
        async with gate.turn(1):
            raise Exhausted("full")
    assert limit.places < 8
