import asyncio

import pytest

from services.chassis.errors import Conflict, Unavailable
from services.jobs.domain import JobEventKind, Progress
from services.jobs.pipelines.steps import Steps


@pytest.fixture
async def claim(claim_of):
    return await claim_of()


@pytest.fixture
def steps(memory, claim):
    return Steps(memory, claim, {})


def counted(results):
    calls = []

    async def step(item=None):
        calls.append(item)
        return results

    return step, calls


async def step_events(memory, claim):
    job = await memory.get("acme", claim.id)
    events = await memory.events(job, after=0)
    return [event for event in events if event.kind is JobEventKind.STEP_COMPLETED]


async def test_a_step_is_recorded_and_told(memory, claim, steps):
    step, _ = counted({"n": 1})
    await steps.plan("one", "two")
    assert await steps.run("one", step, tell=lambda it: f"got {it['n']}") == {"n": 1}
    [event] = await step_events(memory, claim)
    assert (event.step, event.text, event.progress) == ("one", "got 1", Progress(1, 2, "two"))


async def test_how_far_a_step_is_is_told_while_it_is_under_way(memory, claim, steps):
    await steps.plan("one", "two")
    await steps.tell("one", "5 of 9 s")
    job = await memory.get("acme", claim.id)
    assert job.progress == Progress(0, 2, "one (5 of 9 s)")


async def test_a_recorded_step_is_not_done_again(memory, claim):
    steps = Steps(memory, claim, {"one": "kept"})
    step, calls = counted("new")
    assert await steps.run("one", step) == "kept"
    assert calls == []
    assert await step_events(memory, claim) == []


@pytest.mark.parametrize("kept", [None, False, 0, ""])
async def test_an_empty_result_is_recorded_too(memory, claim, kept):
    step, calls = counted("new")
    assert await Steps(memory, claim, {"one": kept}).run("one", step) == kept
    assert calls == []


async def test_steps_replayed_count_as_done(memory, claim):
    await Steps(memory, claim, {"one": 1}).plan("one", "two")
    job = await memory.get("acme", claim.id)
    assert job.progress == Progress(1, 2, "two")


async def test_results_come_in_the_order_of_the_items_and_few_run_at_once(steps):
    running, most = 0, 0

    async def step(item):
        nonlocal running, most
        running += 1
        most = max(most, running)
        # The later the item, the sooner it is done.
        for _ in range(10 - item):
            await asyncio.sleep(0)
        running -= 1
        return item * 10

    assert await steps.run_each("s", range(6), step, at_once=3) == [0, 10, 20, 30, 40, 50]
    assert most == 3


async def test_the_error_of_a_step_is_raised_as_it_is(memory, claim, steps):
    async def step(item):
        if item == 1:
            raise Unavailable("down")
        return item

    with pytest.raises(Unavailable, match="down"):
        await steps.run_each("s", range(3), step, at_once=1)
    assert (await step_events(memory, claim))[0].step == "s/0"


async def test_a_worker_that_lost_its_lease_records_nothing(memory, claim, steps):
    await memory.release(claim)
    step, _ = counted("x")
    with pytest.raises(Conflict):
        await steps.run("one", step)
    assert memory.kept[claim.id].steps == {}


async def test_where_steps_are_finished_one_that_fails_begins_no_other_and_loses_none(
    memory, claim, steps
):
    began, both, failed = [], asyncio.Event(), asyncio.Event()

    async def step(item):
        began.append(item)
        if item == 0:
            await both.wait()
            failed.set()
            raise Unavailable("down")
        both.set()
        await failed.wait()
        return item

    with pytest.raises(Unavailable, match="down"):
        await steps.run_each("s", range(5), step, at_once=2, finishes=True)
    assert began == [0, 1]
    assert [it.step for it in await step_events(memory, claim)] == ["s/1"]
