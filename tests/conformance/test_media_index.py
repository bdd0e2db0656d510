"""What every keeper of media's rows must do, asked of PostgreSQL and of the double alike."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from services.chassis.errors import Conflict, Exhausted
from services.jobs.adapters.postgres import (
    Database,
    PostgresJobQueue,
    PostgresJobStore,
    PostgresMediaIndex,
)
from services.jobs.content import CaptionInput, CaptionOutput, Holding, JobType, MediaId
from services.jobs.domain import NewJob, Progress, Revision
from services.jobs.ports.media import NewMedia
from tests.doubles.job_store_memory import MemoryJobStore
from tests.doubles.media_memory import MemoryMediaIndex

LEASE = timedelta(minutes=1)
DAY = timedelta(days=1)
NONE = timedelta()
QUOTA = 1000


@pytest.fixture(params=["postgres", "memory"])
async def keepers(request):
    """A job store, a queue, and what makes an index that gives a write so much time."""
    if request.param == "memory":
        memory = MemoryJobStore()
        yield memory, memory, lambda writing: MemoryMediaIndex(memory, writing)
        return
    async with Database(request.getfixturevalue("database_url")) as database:
        yield (
            PostgresJobStore(database),
            PostgresJobQueue(database),
            lambda writing: PostgresMediaIndex(database, writing=writing, look_last=NONE),
        )


@pytest.fixture
def index(keepers):
    return keepers[2](DAY)


def new(tenant="acme", *, size=10):
    return NewMedia(MediaId(uuid4().hex), tenant, "image/png", size, "00ff")


async def reserved(index, **values):
    media = new(**values)
    await index.reserve(media, quota_bytes=QUOTA)
    return media.id


async def kept(index, *, ttl=DAY, **values):
    return await index.keep(await reserved(index, **values), ttl=ttl)


async def claimed(keepers, *, lease=LEASE):
    store, queue, _ = keepers
    await store.create(NewJob("acme", JobType.CAPTION_V1, CaptionInput("", ()), ()))
    [claim] = await queue.claim("worker", limit=1, lease=lease)
    return claim


async def test_kept_media_is_found_as_it_was_announced(index):
    announced = new()
    await index.reserve(announced, quota_bytes=QUOTA)
    media = await index.keep(announced.id, ttl=DAY)
    assert await index.find("acme", {announced.id}) == {announced.id: media}
    assert (media.tenant, media.media_type, media.size, media.sha256) == (
        *("acme", "image/png", 10, "00ff"),
    )


async def test_media_that_is_only_announced_is_found_by_nobody(index):
    media_id = await reserved(index)
    assert await index.find("acme", {media_id}) == {}
    assert not await index.expire("acme", media_id)


async def test_media_of_another_tenant_is_neither_found_nor_touched(index):
    media = await kept(index)
    assert await index.find("other", {media.id}) == {}
    assert not await index.expire("other", media.id)
    assert media.id in await index.find("acme", {media.id})


async def test_expired_media_is_not_found(index):
    media = await kept(index)
    assert await index.expire("acme", media.id)
    assert await index.find("acme", {media.id}) == {}
    # Safe to repeat.
    assert await index.expire("acme", media.id)


async def test_a_tenant_has_no_more_than_its_quota_and_others_do_not_count(index):
    await reserved(index, size=QUOTA)
    with pytest.raises(Exhausted) as full:
        await reserved(index, size=1)
    assert full.value.code == "MEDIA_QUOTA"
    await reserved(index, tenant="other", size=QUOTA)


async def test_uploads_at_once_do_not_pass_the_quota_together(index):
    done = await asyncio.gather(
        *(reserved(index, size=300) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(it, Exhausted) for it in done) == 5


async def test_released_media_is_doomed_once_until_it_is_forgotten_and_frees_its_quota(index):
    media = await kept(index, ttl=NONE, size=QUOTA)
    assert await index.release(10) == 1
    assert await index.doomed(10) == [media.id]
    assert await index.doomed(10) == []
    await index.forget([media.id])
    await reserved(index, size=QUOTA)


async def test_what_has_time_left_is_not_released(index):
    await kept(index)
    await reserved(index)
    assert await index.release(10) == 0
    assert await index.doomed(10) == []


async def test_a_write_that_was_never_made_good_is_released_and_cannot_be_any_more(keepers):
    index = keepers[2](NONE)
    media_id = await reserved(index)
    await index.release(10)
    assert await index.doomed(10) == [media_id]
    with pytest.raises(Conflict):
        await index.keep(media_id, ttl=DAY)


async def test_batches_are_as_large_as_asked_for(index):
    for _ in range(3):
        await kept(index, ttl=NONE)
    assert await index.release(2) == 2
    assert await index.release(2) == 1
    assert len(await index.doomed(2)) == 2
    assert len(await index.doomed(2)) == 1


async def test_many_sweepers_hand_out_each_media_once(index):
    media = [(await kept(index, ttl=NONE)).id for _ in range(12)]
    await asyncio.gather(*(index.release(5) for _ in range(6)))
    handed = await asyncio.gather(*(index.doomed(3) for _ in range(6)))
    assert sorted(it for batch in handed for it in batch) == sorted(media)


async def test_a_job_holds_what_was_kept_for_it_and_nobody_else_finds_it(keepers, index):
    claim = await claimed(keepers)
    media_id = await reserved(index)
    media = await index.keep_for(claim, "media/0", media_id)
    assert media.id == media_id
    assert await index.held(claim, "media/0") == media
    assert await index.held(claim, "media/1") is None
    assert await index.find("acme", {media_id}) == {}
    await index.release(10)
    assert await index.doomed(10) == []


async def test_what_a_job_holds_under_a_key_is_replaced_and_the_old_is_released(keepers, index):
    claim = await claimed(keepers)
    old, media_id = await reserved(index), await reserved(index)
    await index.keep_for(claim, "media/0", old)
    await index.keep_for(claim, "media/0", media_id)
    assert (await index.held(claim, "media/0")).id == media_id
    await index.release(10)
    assert await index.doomed(10) == [old]


async def test_a_worker_that_lost_its_job_keeps_nothing_for_it(keepers, index):
    claim = await claimed(keepers, lease=NONE)
    await keepers[1].reclaim()
    media_id = await reserved(index)
    with pytest.raises(Conflict) as lost:
        await index.keep_for(claim, "media/0", media_id)
    assert lost.value.code == "LEASE_LOST"
    assert await index.held(claim, "media/0") is None


def holding(media_id):
    return Holding("media/0", media_id, "input")


def job_of(*media_ids):
    held = tuple(map(holding, media_ids))
    return NewJob("acme", JobType.CAPTION_V1, CaptionInput("", ()), (), media=held)


async def test_a_job_holds_what_it_was_created_with_past_its_time(keepers, index):
    store, queue, _ = keepers
    media = await kept(index)
    await store.create(job_of(media.id))
    assert await index.expire("acme", media.id)
    await index.release(10)
    assert await index.doomed(10) == []
    [claim] = await queue.claim("worker", limit=1, lease=LEASE)
    assert (await index.held(claim, "media/0")).id == media.id


@pytest.mark.parametrize("blobs", [None, ()])
async def test_a_retry_holds_on_unless_it_brings_a_new_input(keepers, index, blobs):
    store, _, _ = keepers
    old, new = await kept(index), await kept(index)
    job = await store.create(job_of(old.id))
    await store.cancel("acme", job.id)
    job = await store.get("acme", job.id)
    media = () if blobs is None else (holding(new.id),)
    await store.retry(job, Revision(blobs=blobs, media=media, keeps_steps=False))
    for it in (old, new):
        await index.expire("acme", it.id)
    await index.release(10)
    assert await index.doomed(10) == [new.id if blobs is None else old.id]


async def test_a_retry_from_the_start_keeps_the_steps_that_brought_what_it_keeps(keepers):
    store, queue, _ = keepers
    job = await store.create(job_of())
    for blobs, left in ((None, {"fetch/0": 1, "list-domain": 2}), ((), {})):
        [claim] = await queue.claim("worker", limit=1, lease=LEASE)
        for key, result in {"fetch/0": 1, "list-domain": 2, "describe/0": 3}.items():
            if key not in await queue.steps(claim):
                await queue.record_step(claim, key, result, text="", progress=Progress())
        await queue.complete(claim, CaptionOutput(()))
        job = await store.get("acme", job.id)
        await store.retry(job, Revision(blobs=blobs, keeps_steps=False))
        [claim] = await queue.claim("worker", limit=1, lease=LEASE)
        assert await queue.steps(claim) == left
        await queue.release(claim)


async def test_what_a_forgotten_job_held_is_released(keepers, index):
    store, queue, _ = keepers
    media = await kept(index)
    job = await store.create(job_of(media.id))
    await index.expire("acme", media.id)
    await index.release(10)
    await store.cancel("acme", job.id)
    assert await queue.forget(timedelta(0)) == 1
    await index.release(10)
    assert await index.doomed(10) == [media.id]
