"""Workers on a real PostgreSQL, with the other rooms as doubles over real gRPC: what survives."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import text

from services.chassis import client
from services.chassis.clock import SystemClock
from services.chassis.errors import Conflict, Exhausted, InvalidInput, Precondition
from services.jobs import peers
from services.jobs.adapters.postgres import Database, PostgresJobQueue, PostgresJobStore
from services.jobs.config import PeersConfig, WorkerConfig
from services.jobs.content import (
    Blob,
    CaptionInput,
    CaptionOutput,
    Image,
    JobType,
    TaskTimingInput,
    TranscriptionInput,
)
from services.jobs.domain import JobEventKind, JobState, NewJob, Progress
from services.jobs.ports.store import Selection
from services.jobs.worker import Worker
from tests.doubles import keys, media_keeping, peers_fake
from tests.doubles.engine_llama import free_port
from tests.doubles.peers_fake import FakePeers

K = JobEventKind
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TENANT = "acme"


@pytest.fixture(autouse=True)
def _media(monkeypatch, tmp_path):
    monkeypatch.setenv("JOBS_MEDIA_URL", (tmp_path / "media").as_uri())


@pytest.fixture
def store(database) -> PostgresJobStore:
    return PostgresJobStore(database)


@pytest.fixture
def rooms() -> FakePeers:
    return FakePeers()


@pytest.fixture
async def address(rooms) -> AsyncIterator[str]:
    async with peers_fake.serving(rooms) as address:
        yield address


def targets(database_url, address) -> PeersConfig:
    return PeersConfig(
        database_url=database_url,
        vision_target=address,
        reasoning_target=address,
        audio_target=address,
    )


@asynccontextmanager
async def working(database, database_url, address, **options) -> AsyncIterator[None]:
    """Run a worker in this process for a block."""
    config = WorkerConfig(listen="127.0.0.1:0", **{"backoff_seconds": 0.2, **options})
    async with peers.connected(targets(database_url, address)) as connected:
        queue = PostgresJobQueue(database)
        worker = Worker(
            queue,
            connected,
            media_keeping.gatherer(database),
            config,
            name="here",
            clock=SystemClock(),
        )
        async with worker.running():
            yield


def pictures(count) -> tuple[tuple[Image, ...], tuple[Blob, ...]]:
    images = tuple(
        Image(f"frame-{n}", NOON + timedelta(seconds=2 * n), f"images/{n}") for n in range(count)
    )
    blobs = tuple(Blob(f"images/{n}", "image/png", b"picture %d" % n) for n in range(count))
    return images, blobs


def captions(count) -> NewJob:
    images, blobs = pictures(count)
    return NewJob(TENANT, JobType.CAPTION_V1, CaptionInput("", images), blobs)


async def ended(store, job, *, seconds=30):
    """Follow a job to its end."""
    return await reaching(store, job, *(it for it in JobState if it.is_terminal), seconds=seconds)


async def reaching(store, job, *states, seconds=30):
    async with asyncio.timeout(seconds):
        with store.news(job.id) as bell:
            while (now := await store.get(TENANT, job.id)).state not in states:
                await bell.wait(1)
            return now


async def events(store, job):
    return await store.events(await store.get(TENANT, job.id), after=0)


async def kinds(store, job):
    return [event.kind for event in await events(store, job)]


async def test_a_task_is_timed(database, database_url, store, rooms, address):
    images, blobs = pictures(8)
    goes_on = (False, False, True, True, False, True, True, False)
    rooms.says = {
        blob.data: f"A worker is {'stocking shelves' if stocks else 'standing'}."
        for blob, stocks in zip(blobs, goes_on, strict=True)
    }
    given = TaskTimingInput("A worker is stocking", "", images)
    job = await store.create(NewJob(TENANT, JobType.TASK_TIMING_V1, given, blobs))
    async with working(database, database_url, address):
        job = await ended(store, job)
    assert job.state is JobState.COMPLETED
    [task] = job.output.tasks
    assert (task.start_image_id, task.end_image_id) == ("frame-2", "frame-6")
    assert (task.start_time, task.end_time) == (images[2].capture_time, images[6].capture_time)
    assert task.evidence_image_ids == ("frame-2", "frame-3", "frame-5", "frame-6")
    assert [it.image_id for it in job.output.observations] == [it.id for it in images]
    # Each distinct sentence is judged once.
    assert sorted(rooms.judged) == ["A worker is standing.", "A worker is stocking shelves."]
    assert (job.progress.done_steps, job.progress.total_steps) == (11, 11)
    steps = [it for it in await events(store, job) if it.kind is K.STEP_COMPLETED]
    judged = {"judge/0", "judge/1", "readable/0"}
    assert {it.step for it in steps} == {*(f"describe/{n}" for n in range(8)), *judged}
    assert [it.progress.done_steps for it in steps] == list(range(1, 12))
    told = {it.step: it.text for it in steps}
    assert told["describe/2"] == "A worker is stocking shelves."
    assert rooms.priorities == {"job"}


async def test_a_recording_is_transcribed(database, database_url, store, address):
    given = TranscriptionInput("audio", "en")
    blob = Blob("audio", "application/octet-stream", b"12345")
    job = await store.create(NewJob(TENANT, JobType.TRANSCRIPTION_V1, given, (blob,)))
    async with working(database, database_url, address):
        job = await ended(store, job)
    [segment] = job.output.transcript.segments
    assert segment.text == "5 bytes in en"
    assert (segment.start_seconds, segment.end_seconds) == (0.5, 2.0)


async def test_a_waiting_worker_takes_a_new_job_at_once(database, database_url, store, address):
    async with working(database, database_url, address, poll_seconds=30):
        # The first job may come before the worker hears of changes, and wait for its first look.
        await ended(store, await store.create(captions(1)))
        job = await ended(store, await store.create(captions(1)), seconds=10)
    assert (job.start_time - job.create_time) < timedelta(seconds=2)


@asynccontextmanager
async def worker_process(
    database_url, address, *, lease_seconds=1.2, stderr=None, **environment
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker as it runs in production, healthy when the block begins."""
    listen = f"127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "WORKER_LISTEN": listen,
        "WORKER_LEASE_SECONDS": str(lease_seconds),
        "WORKER_POLL_SECONDS": "0.2",
        "JOBS_DATABASE_URL": database_url,
        "JOBS_VISION_TARGET": address,
        "JOBS_REASONING_TARGET": address,
        "JOBS_AUDIO_TARGET": address,
        "JOBS_WEBHOOK_KEYS": keys.WEBHOOK_KEYS,
        **environment,
    }
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "services.jobs.worker"], env=environment, stderr=stderr
    )
    try:
        await healthy(listen)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def healthy(address):
    async with asyncio.timeout(20), client.channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        answer = await stub.Check(request, wait_for_ready=True)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_job_whose_worker_is_killed_is_finished_by_another(
    database_url, store, rooms, address
):
    rooms.holds[b"picture 3"] = asyncio.Event()
    job = await store.create(captions(6))
    async with worker_process(database_url, address) as first:
        async with asyncio.timeout(20):
            await rooms.held.wait()
            await recorded(store, job, "describe/0", "describe/1", "describe/2")
        first.send_signal(signal.SIGKILL)
        await first.wait()
    before = list(rooms.described)
    rooms.holds.clear()
    async with worker_process(database_url, address):
        job = await ended(store, job)
    assert job.state is JobState.COMPLETED
    assert [it.image_id for it in job.output.captions] == [f"frame-{n}" for n in range(6)]
    assert K.LEASE_EXPIRED in await kinds(store, job)
    # What was recorded before is not asked again, and nothing is asked twice after.
    done = {b"picture 0", b"picture 1", b"picture 2"}
    after = rooms.described[len(before) :]
    assert not done & set(after)
    assert len(after) == len(set(after))
    steps = [it.step for it in await events(store, job) if it.kind is K.STEP_COMPLETED]
    assert sorted(steps) == [f"describe/{n}" for n in range(6)]


async def recorded(store, job, *keys, least=0):
    with store.news(job.id) as bell:
        while True:
            told = await events(store, job)
            steps = {it.step for it in told if it.kind is K.STEP_COMPLETED}
            if set(keys) <= steps and len(steps) >= least:
                return
            await bell.wait(1)


async def test_a_frozen_worker_writes_nothing_once_another_holds_its_job(
    database_url, store, rooms, address
):
    answer = rooms.holds[b"picture 0"] = asyncio.Event()
    job = await store.create(captions(1))
    async with worker_process(database_url, address, stderr=asyncio.subprocess.PIPE) as first:
        async with asyncio.timeout(20):
            await rooms.held.wait()
        first.send_signal(signal.SIGSTOP)
        async with worker_process(database_url, address):
            async with asyncio.timeout(20):
                await counted(store, job, K.CLAIMED, 2)
            answer.set()
            job = await ended(store, job)
        first.send_signal(signal.SIGCONT)
        async with asyncio.timeout(20):
            async for line in first.stderr:
                if b"lost a job" in line:
                    break
    assert await store.get(TENANT, job.id) == job
    assert job.state is JobState.COMPLETED
    assert await kinds(store, job) == [
        *(K.CREATED, K.CLAIMED, K.LEASE_EXPIRED, K.CLAIMED),
        *(K.STEP_COMPLETED, K.COMPLETED),
    ]


async def counted(store, job, kind, count):
    with store.news(job.id) as bell:
        while (await kinds(store, job)).count(kind) < count:
            await bell.wait(1)


async def test_a_stopped_worker_hands_its_job_back_with_its_steps(
    database_url, store, rooms, address
):
    rooms.holds[b"picture 1"] = asyncio.Event()
    job = await store.create(captions(2))
    async with worker_process(database_url, address, lease_seconds=60) as worker:
        async with asyncio.timeout(20):
            await rooms.held.wait()
            await recorded(store, job, "describe/0")
        worker.terminate()
        async with asyncio.timeout(10):
            assert await worker.wait() == 0
    job = await store.get(TENANT, job.id)
    assert (job.state, job.attempt) == (JobState.PENDING, 0)
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED, K.STEP_COMPLETED, K.RELEASED]


async def test_a_worker_forgets_jobs_whose_retention_is_over(database_url, store, address):
    job = await store.create(captions(1))
    with store.news(job.id) as bell:
        sweeping = {"WORKER_RETENTION_DAYS": "1e-9", "WORKER_SWEEP_SECONDS": "0.05"}
        async with worker_process(database_url, address, **sweeping), asyncio.timeout(20):
            while await store.list(TENANT, Selection(limit=1)):
                await bell.wait(0.1)
    assert dict((await store.stats(TENANT)).counts) == {}


async def test_many_writers_at_once_do_not_lock_each_other_out(database_url):
    async with Database(database_url) as one, Database(database_url) as other:
        store, queues = PostgresJobStore(one), [PostgresJobQueue(it) for it in (one, other)]
        lease = timedelta(seconds=0.05)

        async def work(queue, name) -> None:
            while claims := await queue.claim(name, limit=50, lease=lease):
                told = await asyncio.gather(
                    queue.heartbeat(claims[::-1], lease=lease),
                    *(queue.report(it, Progress(1, 2)) for it in claims),
                    queue.reclaim(),
                    *(queue.complete(it, CaptionOutput(())) for it in reversed(claims)),
                    *(cancel(it) for it in claims[::5]),
                    return_exceptions=True,
                )
                # What is written once the lease has run out is refused, and done by another.
                failed = [it for it in told if isinstance(it, BaseException)]
                assert {type(it) for it in failed} <= {Conflict}

        async def cancel(claim) -> None:
            with suppress(Precondition):
                await store.cancel(TENANT, claim.id)

        jobs = await asyncio.gather(*(store.create(captions(0)) for _ in range(400)))
        while (await store.stats(TENANT)).pending:
            await asyncio.gather(
                *(work(queue, f"w-{n}") for n in range(2) for queue in queues),
                *(queue.forget(timedelta(hours=1)) for queue in queues),
            )
            while (await store.stats(TENANT)).running:
                await queues[0].reclaim()
        told = [await store.get(TENANT, job.id) for job in jobs]
        ends = Counter(job.state for job in told)
        assert (await store.stats(TENANT)).counts == {
            (JobType.CAPTION_V1, state): count for state, count in ends.items()
        }
        for job in told:
            kept = await store.events(job, after=0)
            assert [it.sequence for it in kept] == list(range(1, job.last_sequence + 1))


async def test_a_running_job_that_is_cancelled_stops_within_two_seconds(
    database, database_url, store, rooms, address
):
    rooms.holds[b"picture 0"] = asyncio.Event()
    job = await store.create(captions(1))
    async with working(database, database_url, address, lease_seconds=60):
        async with asyncio.timeout(20):
            await rooms.held.wait()
        await store.cancel(TENANT, job.id)
        job = await ended(store, job, seconds=2)
    assert job.state is JobState.CANCELLED
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED, K.CANCEL_REQUESTED, K.CANCELLED]


async def test_an_outage_of_a_room_costs_no_attempt(database, database_url, store, rooms):
    listen = f"127.0.0.1:{free_port()}"
    job = await store.create(captions(2))
    async with AsyncExitStack() as later, working(database, database_url, listen):
        async with asyncio.timeout(20):
            with store.news(job.id) as bell:
                while (await kinds(store, job)).count(K.ATTEMPT_FAILED) < 5:
                    await bell.wait(1)
        waits = await store.get(TENANT, job.id)
        assert (waits.error.reason, waits.error.retryable) == ("UNAVAILABLE", True)
        await later.enter_async_context(peers_fake.serving(rooms, listen))
        job = await ended(store, job)
    assert (job.state, job.error) == (JobState.COMPLETED, None)
    assert job.attempt > 5


async def test_what_waits_for_an_engine_that_is_full_is_not_refused_in_turn(
    database, database_url, store, rooms, address
):
    full = Exhausted("the engine has too much to do", retry_after=timedelta(seconds=60))
    rooms.failing = [full] * 100
    for _ in range(30):
        await store.create(captions(1))
    given = TranscriptionInput("audio", "en")
    blob = Blob("audio", "application/octet-stream", b"12345")
    async with working(database, database_url, address, concurrency=4, poll_seconds=0.05):
        heard = [
            await store.create(NewJob(TENANT, JobType.TRANSCRIPTION_V1, given, (blob,)))
            for _ in range(30)
        ]
        # These have an engine of their own: the worker looks for work again and again.
        for job in heard:
            assert (await ended(store, job)).state is JobState.COMPLETED
    assert 1 <= 100 - len(rooms.failing) <= 4


async def test_an_error_that_will_not_pass_ends_the_job_at_once(
    database, database_url, store, rooms, address
):
    rooms.failing = [InvalidInput("image: cannot be decoded", code="IMAGE_DAMAGED")]
    job = await store.create(captions(1))
    async with working(database, database_url, address):
        job = await ended(store, job)
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert (job.error.reason, job.error.retryable) == ("IMAGE_DAMAGED", False)
    assert "picture 0" in job.error.message


async def test_an_unknown_error_is_tried_again_until_the_attempts_are_used_up(
    database, database_url, store, rooms, address
):
    rooms.failing = [RuntimeError("a mistake of ours")] * 3
    job = await store.create(captions(1))
    async with working(database, database_url, address, poll_seconds=0.05):
        job = await ended(store, job)
    assert (job.state, job.attempt, job.error.reason) == (JobState.FAILED, 3, "INTERNAL")
    assert "a mistake of ours" not in job.error.message


async def test_a_job_of_a_newer_type_is_left_to_newer_workers(
    database, database_url, store, address
):
    newer, known = await store.create(captions(1)), await store.create(captions(1))
    async with database.transaction() as connection:
        for table in ("jobs", "job_queue"):
            change = text(f"UPDATE {table} SET type = 'dance_v9' WHERE id = :id")
            await connection.execute(change, {"id": newer.id})
    async with working(database, database_url, address):
        assert (await ended(store, known)).state is JobState.COMPLETED
    async with database.transaction() as connection:
        waiting = text("SELECT state, attempt FROM job_queue WHERE id = :id")
        [row] = await connection.execute(waiting, {"id": newer.id})
    assert tuple(row) == (JobState.PENDING, 0)


async def test_many_jobs_are_shared_by_workers_and_each_done_once(
    database, database_url, store, rooms, address
):
    jobs = [await store.create(replace(captions(1), request_id=str(n))) for n in range(30)]
    async with working(database, database_url, address), working(database, database_url, address):
        done = [await ended(store, job) for job in jobs]
    assert {job.state for job in done} == {JobState.COMPLETED}
    assert len(rooms.described) == 30
