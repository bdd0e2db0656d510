"""The jobs room over a real channel and a real PostgreSQL: what clients see of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import grpc
import psycopg
import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from grpc_status import rpc_status
from mesh.jobs.v1 import job_input_pb2, job_pb2
from mesh.jobs.v1 import job_service_pb2 as pb
from mesh.jobs.v1.job_service_pb2_grpc import JobServiceStub, add_JobServiceServicer_to_server
from mesh.types.v1 import image_pb2
from sqlalchemy import text

from services.chassis import client
from services.chassis.config import RoomConfig
from services.chassis.server import Server
from services.jobs.adapters.postgres import Database, PostgresJobQueue, PostgresJobStore
from services.jobs.capacity import Capacity
from services.jobs.content import CaptionOutput, JobType, Observation
from services.jobs.core import Jobs
from services.jobs.domain import JobError, Progress
from services.jobs.rpc import JobServicer
from tests.doubles import media_keeping
from tests.doubles.pictures import BAD_PICTURES, scene_png

PICTURE = scene_png()
LEASE = timedelta(minutes=1)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
STATE = job_pb2.JobState
KIND = job_pb2.JobEventKind


def jobs_in(database, **bounds) -> Jobs:
    capacity = Capacity(PostgresJobStore(database), **bounds)
    return media_keeping.jobs(database, capacity=capacity)


@pytest.fixture
def queue(database) -> PostgresJobQueue:
    return PostgresJobQueue(database)


@pytest.fixture
async def channel(database) -> AsyncIterator[grpc.aio.Channel]:
    core = media_keeping.jobs(database)
    server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    services = [
        (add_JobServiceServicer_to_server, JobServicer(core), pb, "JobService"),
    ]
    for register, servicer, module, name in services:
        server.add(register, servicer, module.DESCRIPTOR.services_by_name[name])
    async with server.running() as address, client.channel(address) as opened:
        yield opened


@pytest.fixture
def stub(channel) -> JobServiceStub:
    return JobServiceStub(channel)


def captions(*images: image_pb2.Image, prompt: str = "") -> job_input_pb2.JobInput:
    given = job_input_pb2.CaptionInput(prompt=prompt, images=images)
    return job_input_pb2.JobInput(caption_v1=given)


def picture(data: bytes = PICTURE, image_id: str = "", at: datetime | None = None):
    image = image_pb2.Image(data=data, id=image_id)
    if at is not None:
        image.capture_time.FromDatetime(at)
    return image


async def create(stub, given=None, *, type="caption_v1", tenant="acme", **fields):
    request = pb.CreateJobRequest(
        type=type, input=captions(picture()) if given is None else given, **fields
    )
    return (await stub.CreateJob(request, metadata=[("x-mesh-tenant", tenant)])).job


async def get(stub, job_id, tenant="acme"):
    request = pb.GetJobRequest(id=job_id)
    return (await stub.GetJob(request, metadata=[("x-mesh-tenant", tenant)])).job


async def refused(call) -> tuple[grpc.StatusCode, str, list[str]]:
    with pytest.raises(grpc.RpcError) as error:
        await call
    fields = []
    for detail in rpc_status.from_call(error.value).details:
        bad = BadRequest()
        if detail.Unpack(bad):
            fields = [it.field for it in bad.field_violations]
    return error.value.code(), error.value.details(), fields


async def count(stub):
    answer = await stub.ListJobs(pb.ListJobsRequest(), metadata=[("x-mesh-tenant", "acme")])
    return len(answer.jobs)


async def claim_one(queue):
    [claim] = await queue.claim("worker-1", limit=1, lease=LEASE)
    return claim


async def test_a_created_job_is_told_of_without_its_bytes(stub):
    data = Struct()
    data.update({"order": 7, "nested": {"a": [1.5, None, True]}})
    given = captions(picture(image_id="front", at=NOON), picture(), prompt="what?")
    created = await create(stub, given, client_data=data)
    job = await get(stub, created.id)
    assert job == created
    assert (job.type, job.state, job.client_data) == ("caption_v1", STATE.JOB_STATE_PENDING, data)
    front, second = job.input.caption_v1.images
    assert (front.id, front.capture_time.ToDatetime(UTC)) == ("front", NOON)
    assert (second.id, second.HasField("capture_time")) == ("1", False)
    assert not front.data
    assert not job.HasField("output")


async def test_a_job_says_how_urgent_it_is_and_when_it_may_begin(stub, queue):
    soon = Timestamp()
    soon.FromDatetime(datetime.now(UTC) + LEASE)
    waits = await create(stub, priority=100, run_after_time=soon)
    urgent, plain = await create(stub, priority=7), await create(stub)
    assert (waits.priority, waits.run_after_time) == (100, soon)
    assert (plain.priority, plain.HasField("run_after_time")) == (0, False)
    claims = await queue.claim("worker-1", limit=9, lease=LEASE)
    assert [str(claim.id) for claim in claims] == [urgent.id, plain.id]
    assert await get(stub, waits.id) == waits


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"priority": 101}, "priority"),
        ({"run_after_time": Timestamp(seconds=10**15)}, "run_after_time"),
    ],
)
async def test_an_urgency_or_a_time_that_is_none_is_refused(stub, given, field):
    code, _, fields = await refused(create(stub, **given))
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
    assert await count(stub) == 0


async def test_pictures_that_all_have_times_are_put_in_order(stub, queue):
    late, early = picture(PICTURE, "late", NOON), picture(PICTURE, "early", NOON - LEASE)
    job = await create(stub, captions(late, early))
    assert [it.id for it in job.input.caption_v1.images] == ["early", "late"]
    claim = await claim_one(queue)
    assert [image.blob for image in claim.input.images] == ["images/1", "images/0"]


async def test_pictures_without_all_times_keep_their_order(stub):
    job = await create(stub, captions(picture(image_id="a", at=NOON), picture(image_id="b")))
    assert [it.id for it in job.input.caption_v1.images] == ["a", "b"]


def wrong_time():
    image = picture()
    image.capture_time.seconds = 10**15
    return captions(image)


def attached(**values):
    data = Struct()
    data.update(values)
    return {"client_data": data}


TIMING = job_input_pb2.JobInput(
    task_timing_v1=job_input_pb2.TaskTimingInput(task="x", images=[picture()])
)
BAD_INPUT = {
    "an unknown type": ({"type": "nap_v1"}, "type", "task_timing_v1, caption_v1"),
    "no input": ({"given": job_input_pb2.JobInput()}, "input", "must hold one of task_timing_v1"),
    "the input of another type": ({"given": TIMING}, "input", "caption_v1"),
    "no pictures": ({"given": captions()}, "input.caption_v1.images", "at least one"),
    "the same id twice": (
        {"given": captions(picture(image_id="1"), picture())},
        "input.caption_v1.images[1].id",
        "images[0]",
    ),
    "a time that is none": (
        {"given": wrong_time()},
        "input.caption_v1.images[0].capture_time",
        "",
    ),
    "too much attached": (attached(x="y" * 65_536), "client_data", "65536"),
    "an infinite number": (attached(x=float("inf")), "client_data", "finite"),
    "a NUL in the request id": ({"request_id": "a\0b"}, "request_id", "NUL"),
    "no audio": (
        {
            "type": "transcription_v1",
            "given": job_input_pb2.JobInput(
                transcription_v1=job_input_pb2.TranscriptionInput(language="en")
            ),
        },
        "input.transcription_v1.audio",
        "send a recording",
    ),
} | {
    f"{name} among pictures": (
        {"given": captions(picture(), picture(data))},
        "input.caption_v1.images[1].data",
        "",
    )
    for name, (data, _) in BAD_PICTURES.items()
}


@pytest.mark.parametrize(("fields", "path", "says"), BAD_INPUT.values(), ids=BAD_INPUT)
async def test_bad_input_is_refused_by_its_field_and_nothing_is_stored(stub, fields, path, says):
    code, told, fields = await refused(create(stub, **fields))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert fields == [path]
    assert says in told
    assert await count(stub) == 0


async def test_an_id_that_is_none_or_unknown_is_told_apart(stub):
    assert (await refused(get(stub, "7")))[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert (await refused(get(stub, str(uuid4()))))[0] is grpc.StatusCode.NOT_FOUND


async def test_creating_again_with_the_same_request_id_returns_the_first_job(stub):
    jobs = await asyncio.gather(*(create(stub, request_id="order-7") for _ in range(5)))
    assert len({job.id for job in jobs}) == 1
    assert await count(stub) == 1


async def test_tenants_do_not_cross(stub):
    mine = await create(stub, request_id="r")
    theirs = await create(stub, tenant="other", request_id="r")
    assert mine.id != theirs.id
    other = [("x-mesh-tenant", "other")]
    for call in (
        stub.GetJob(pb.GetJobRequest(id=mine.id), metadata=other),
        stub.CancelJob(pb.CancelJobRequest(id=mine.id), metadata=other),
        stub.RetryJob(pb.RetryJobRequest(id=mine.id), metadata=other),
        anext(aiter(stub.WatchJob(pb.WatchJobRequest(id=mine.id), metadata=other))),
    ):
        assert (await refused(call))[0] is grpc.StatusCode.NOT_FOUND
    listed = await stub.ListJobs(pb.ListJobsRequest(), metadata=other)
    assert [job.id for job in listed.jobs] == [theirs.id]


async def test_jobs_are_listed_page_by_page(stub):
    made = [(await create(stub)).id for _ in range(5)]
    acme = [("x-mesh-tenant", "acme")]
    seen, token = [], ""
    while True:
        request = pb.ListJobsRequest(page_size=2, page_token=token)
        page = await stub.ListJobs(request, metadata=acme)
        seen += [job.id for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]
    code, _, fields = await refused(stub.ListJobs(pb.ListJobsRequest(page_token="x%")))
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["page_token"])
    code, told, _ = await refused(stub.ListJobs(pb.ListJobsRequest(type="nap_v1")))
    assert "caption_v1" in told


async def test_a_waiting_job_is_cancelled_and_retried(stub):
    job = await create(stub)
    acme = [("x-mesh-tenant", "acme")]
    retry = pb.RetryJobRequest(id=job.id)
    code, told, _ = await refused(stub.RetryJob(retry, metadata=acme))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "pending" in told
    for _ in range(2):
        cancelled = await stub.CancelJob(pb.CancelJobRequest(id=job.id), metadata=acme)
        assert cancelled.job.state == STATE.JOB_STATE_CANCELLED
    retried = await stub.RetryJob(retry, metadata=acme)
    assert retried.job.state == STATE.JOB_STATE_PENDING


async def test_a_completed_job_cannot_be_cancelled(stub, queue):
    job = await create(stub)
    await queue.complete(await claim_one(queue), CaptionOutput(()))
    cancel = stub.CancelJob(pb.CancelJobRequest(id=job.id), metadata=[("x-mesh-tenant", "acme")])
    assert (await refused(cancel))[0] is grpc.StatusCode.FAILED_PRECONDITION


async def fail_after_a_step(queue):
    claim = await claim_one(queue)
    await queue.record_step(claim, "describe/0", "x", text="x", progress=Progress(1, 1))
    await queue.fail(claim, JobError("SOME_REASON", "said so", retryable=False))


async def test_a_failed_job_tells_why_and_goes_on_where_it_stopped(stub, queue):
    job = await create(stub)
    await fail_after_a_step(queue)
    error = (await get(stub, job.id)).error
    assert (error.reason, error.message, error.retryable) == ("SOME_REASON", "said so", False)
    await stub.RetryJob(pb.RetryJobRequest(id=job.id), metadata=[("x-mesh-tenant", "acme")])
    assert await queue.steps(await claim_one(queue)) == {"describe/0": "x"}


async def test_a_retry_with_another_prompt_keeps_the_pictures_and_starts_afresh(stub, queue):
    job = await create(stub, captions(picture(image_id="front"), prompt="old"))
    await fail_after_a_step(queue)
    request = pb.RetryJobRequest(id=job.id, input=captions(prompt="new"))
    retried = await stub.RetryJob(request, metadata=[("x-mesh-tenant", "acme")])
    given = retried.job.input.caption_v1
    assert (given.prompt, [it.id for it in given.images]) == ("new", ["front"])
    claim = await claim_one(queue)
    assert await queue.steps(claim) == {}
    assert (await queue.blob(claim, claim.input.images[0].blob)).data == PICTURE


async def test_a_retry_with_the_input_of_another_type_is_refused(stub, queue):
    job = await create(stub)
    await fail_after_a_step(queue)
    request = pb.RetryJobRequest(id=job.id, input=TIMING)
    call = stub.RetryJob(request, metadata=[("x-mesh-tenant", "acme")])
    assert (await refused(call))[2] == ["input"]


def watch(stub, job_id, after=0):
    request = pb.WatchJobRequest(id=job_id, after_sequence=after)
    return stub.WatchJob(request, metadata=[("x-mesh-tenant", "acme")], timeout=20)


async def test_watchers_see_every_event_however_late_they_join(stub, queue):
    job = await create(stub)
    early = watch(stub, job.id)
    first = await anext(aiter(early))
    assert first.event.kind == KIND.JOB_EVENT_KIND_CREATED
    claim = await claim_one(queue)
    await queue.record_step(claim, "describe/0", "a box", text="a box", progress=Progress(1, 1))
    joined_late = watch(stub, job.id)
    assert (await anext(aiter(joined_late))).event.sequence == 1
    await queue.complete(claim, CaptionOutput((Observation("0", None, "a box"),)))
    told_early = [first, *[it async for it in early]]
    told_late = [it async for it in joined_late]
    told_after = [it async for it in watch(stub, job.id)]
    assert [it.event.sequence for it in told_early] == [1, 2, 3, 4]
    assert [it.event.sequence for it in told_late] == [2, 3, 4]
    assert [it.event for it in told_after] == [it.event for it in told_early]
    step, end = told_early[2], told_early[3]
    assert (step.event.step, step.event.text) == ("describe/0", "a box")
    assert (step.event.progress.done_steps, step.event.progress.total_steps) == (1, 1)
    assert end.event.kind == KIND.JOB_EVENT_KIND_COMPLETED
    assert end.job.output.caption_v1.captions[0].text == "a box"
    assert not end.job.HasField("input")


async def test_a_watcher_goes_on_where_it_was(stub, queue):
    job = await create(stub)
    await fail_after_a_step(queue)
    rest = [it async for it in watch(stub, job.id, after=3)]
    assert [it.event.kind for it in rest] == [KIND.JOB_EVENT_KIND_FAILED]
    [none] = [it async for it in watch(stub, job.id, after=4)]
    assert not none.HasField("event")
    assert none.job.state == STATE.JOB_STATE_FAILED


async def test_a_watched_event_arrives_at_once(stub, queue):
    job = await create(stub)
    watching = aiter(watch(stub, job.id, after=1))
    assert not (await anext(watching)).HasField("event")
    await listening(stub)
    before = time.monotonic()
    await claim_one(queue)
    assert (await anext(watching)).event.kind == KIND.JOB_EVENT_KIND_CLAIMED
    # A watcher that no notice reaches looks every five seconds.
    assert time.monotonic() - before < 2


async def listening(stub):
    """Return once the room hears of changes: a watcher has seen one."""
    probe = await create(stub, tenant="probe")
    other = [("x-mesh-tenant", "probe")]
    request = pb.WatchJobRequest(id=probe.id, after_sequence=1)
    watching = aiter(stub.WatchJob(request, metadata=other))
    await anext(watching)
    await stub.CancelJob(pb.CancelJobRequest(id=probe.id), metadata=other)
    await anext(watching)


async def test_the_queue_is_told_of_to_each_tenant_as_its_own(stub, queue):
    for tenant in ("acme", "acme", "other"):
        await create(stub, tenant=tenant)
    await claim_one(queue)
    request = pb.GetQueueStatsRequest()
    mine = await stub.GetQueueStats(request, metadata=[("x-mesh-tenant", "acme")])
    theirs = await stub.GetQueueStats(request, metadata=[("x-mesh-tenant", "other")])
    assert (mine.pending_jobs, mine.running_jobs) == (1, 1)
    assert 0 < mine.oldest_pending_age.ToTimedelta().total_seconds() < 60
    assert list(mine.counts) == [
        pb.JobCount(type="caption_v1", state=STATE.JOB_STATE_PENDING, jobs=1),
        pb.JobCount(type="caption_v1", state=STATE.JOB_STATE_RUNNING, jobs=1),
    ]
    assert (theirs.pending_jobs, theirs.running_jobs, len(theirs.counts)) == (1, 0, 1)


async def test_a_full_queue_refuses_with_a_time_and_still_knows_who_was_in(database):
    core = jobs_in(database, types={JobType.CAPTION_V1: 1})
    server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    service = pb.DESCRIPTOR.services_by_name["JobService"]
    server.add(add_JobServiceServicer_to_server, JobServicer(core), service)
    async with server.running() as address, client.channel(address) as opened:
        stub = JobServiceStub(opened)
        first = await create(stub, request_id="r")
        with pytest.raises(grpc.RpcError) as error:
            await create(stub)
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        retry = RetryInfo()
        assert any(it.Unpack(retry) for it in rpc_status.from_call(error.value).details)
        assert retry.retry_delay.ToTimedelta() == timedelta(seconds=5)
        assert await create(stub, request_id="r") == first
        with pytest.raises(grpc.RpcError):
            await create(stub, request_id="s")
    assert await PostgresJobStore(database).waiting() == {("acme", JobType.CAPTION_V1): 1}


async def test_a_database_that_is_gone_is_told_as_unavailable():
    url = f"postgresql://nobody@/none?host=/nowhere-{uuid4().hex}"
    async with Database(url) as database:
        server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
        register = add_JobServiceServicer_to_server
        service = pb.DESCRIPTOR.services_by_name["JobService"]
        server.add(register, JobServicer(media_keeping.jobs(database)), service)
        async with server.running() as address, client.channel(address) as opened:
            code, told, _ = await refused(create(JobServiceStub(opened)))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert "database" in told


async def test_connections_that_died_at_rest_are_replaced_unnoticed(
    database, stub, postgres_server, monkeypatch
):
    monkeypatch.setattr("services.jobs.adapters.postgres.database._REST_SECONDS", 0)
    job = await create(stub)
    [[name]] = await database.rows(text("SELECT current_database()"))
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
    assert (await get(stub, job.id)).id == job.id
