import asyncio
from datetime import timedelta

import pytest

from services.chassis.errors import Exhausted
from services.jobs.capacity import Capacity
from services.jobs.content import JobType

CAPTIONS, SPEECH = JobType.CAPTION_V1, JobType.TRANSCRIPTION_V1


class Clock:
    def __init__(self):
        self.time = 0.0

    def monotonic(self):
        return self.time


class Store:
    """Only counts: what waits in it and how often it was asked."""

    def __init__(self):
        self.waits = {}
        self.asked = 0

    async def waiting(self):
        self.asked += 1
        await asyncio.sleep(0)
        return dict(self.waits)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def capacity(store, clock):
    return Capacity(store, types={CAPTIONS: 4}, tenant=6, clock=clock)


async def let_in(capacity, tenant="acme", kind=CAPTIONS):
    async with capacity.place(tenant, kind):
        await asyncio.sleep(0)


async def test_of_many_at_once_no_more_are_let_in_than_may_wait(capacity):
    told = await asyncio.gather(*(let_in(capacity) for _ in range(9)), return_exceptions=True)
    assert told.count(None) == 4
    refused = [it for it in told if it is not None]
    assert {type(it) for it in refused} == {Exhausted}
    assert {(it.code, it.retry_after) for it in refused} == {("QUEUE_FULL", timedelta(seconds=5))}
    assert "type caption_v1" in str(refused[0])


async def test_a_type_is_bounded_over_all_tenants_and_a_tenant_over_all_types(capacity, store):
    store.waits = {("acme", CAPTIONS): 3, ("acme", SPEECH): 2}
    await let_in(capacity, "other")
    with pytest.raises(Exhausted, match="type caption_v1"):
        await let_in(capacity, "other")
    await let_in(capacity, "acme", SPEECH)
    with pytest.raises(Exhausted, match="tenant acme"):
        await let_in(capacity, "acme", SPEECH)
    await let_in(capacity, "other", SPEECH)


async def test_a_tenant_of_the_name_of_a_type_is_no_type(capacity, store):
    store.waits = {("caption_v1", SPEECH): 5}
    await let_in(capacity, "caption_v1")
    with pytest.raises(Exhausted, match="tenant"):
        await let_in(capacity, "caption_v1")
    await let_in(capacity)


async def test_before_anybody_is_refused_it_is_counted_again(capacity, store, clock):
    for _ in range(4):
        await let_in(capacity)
    store.waits = {("acme", CAPTIONS): 3}
    clock.time += 0.2
    await let_in(capacity)
    store.waits = {("acme", CAPTIONS): 4}
    with pytest.raises(Exhausted):
        await let_in(capacity)


async def test_while_there_is_room_it_is_counted_seldom(capacity, store, clock):
    await let_in(capacity)
    clock.time += 59
    await let_in(capacity)
    assert store.asked == 1
    # Half full: what others let in meanwhile is seen within a second.
    store.waits = {("acme", CAPTIONS): 4}
    clock.time += 0.9
    with pytest.raises(Exhausted):
        await let_in(capacity)
    assert store.asked == 2


async def test_a_job_that_was_not_created_takes_no_place(capacity):
    for _ in range(9):
        with pytest.raises(RuntimeError):
            async with capacity.place("acme", CAPTIONS):
                raise RuntimeError
    await let_in(capacity)
