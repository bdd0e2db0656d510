"""Inputs that are named and not sent, from the request to the end of the job: over a real channel,
a real PostgreSQL, a real worker and real HTTP, with the other rooms as doubles.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from mesh.jobs.v1 import job_input_pb2 as input_pb
from mesh.jobs.v1 import job_pb2
from mesh.jobs.v1 import job_service_pb2 as pb
from mesh.jobs.v1 import media_service_pb2 as media_pb
from mesh.jobs.v1.job_service_pb2_grpc import JobServiceStub, add_JobServiceServicer_to_server
from mesh.jobs.v1.media_service_pb2_grpc import MediaServiceStub, add_MediaServiceServicer_to_server
from mesh.types.v1 import image_pb2, video_pb2

from services.chassis import client, limits
from services.chassis.clock import SystemClock
from services.chassis.config import RoomConfig
from services.chassis.errors import NotFound
from services.chassis.server import Server
from services.jobs import peers
from services.jobs.adapters import domain, objects
from services.jobs.adapters.postgres import (
    PostgresJobQueue,
    PostgresJobStore,
    PostgresMediaIndex,
)
from services.jobs.config import DomainConfig, PeersConfig, WorkerConfig
from services.jobs.content import CaptionInput, Holding, JobType, MediaId
from services.jobs.core import Jobs
from services.jobs.domain import NewJob
from services.jobs.gathering import Gatherer
from services.jobs.media import MediaKeeper
from services.jobs.media_rpc import MediaServicer
from services.jobs.naming import Doors
from services.jobs.rpc import JobServicer
from services.jobs.worker import Worker
from services.media.fetch import Fetcher
from services.media.guard import Guard
from services.media.sources import Sources
from services.media.spool import Shelf
from tests.doubles import domain_server, peers_fake, strangers
from tests.doubles.domain_server import DOMAIN, EMAIL, PASSWORD, Item
from tests.doubles.media_keeping import RULES
from tests.doubles.peers_fake import FakePeers
from tests.doubles.pictures import scene_png

PICTURES = [scene_png(seed=seed) for seed in range(4)]
ACME = [("x-mesh-tenant", "acme")]
OTHER = [("x-mesh-tenant", "other")]
STATE = job_pb2.JobState
HERE = Guard(["127.0.0.1"])
SPOOLED = 2 * limits.BODY_BYTES


@pytest.fixture
def keeper(database, tmp_path) -> MediaKeeper:
    index = PostgresMediaIndex(database, look_last=timedelta(0))
    return MediaKeeper(index, objects.store_at((tmp_path / "media").as_uri()), RULES)


@pytest.fixture
def rooms() -> FakePeers:
    return FakePeers()


@pytest.fixture
async def web() -> AsyncIterator[strangers.Stranger]:
    async with strangers.stranger() as running:
        running.body = PICTURES[0]
        yield running


@pytest.fixture
async def network() -> AsyncIterator[domain_server.DomainServer]:
    async with domain_server.serving(datetime.now(UTC).timestamp()) as running:
        yield running


class Mesh:
    """The jobs room and what its workers are made of."""

    def __init__(self, database, keeper, rooms, network, tmp_path):
        self.database, self.keeper, self.rooms = database, keeper, rooms
        self.network, self.root = network, tmp_path / "root"
        self.root.mkdir()

    @asynccontextmanager
    async def serving(self, **doors):
        told = {"files": True, "domains": True, **doors}
        core = Jobs(PostgresJobStore(self.database), self.keeper, Doors(HERE, **told))
        server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
        served = [
            (add_JobServiceServicer_to_server, JobServicer(core), pb, "JobService"),
            (
                add_MediaServiceServicer_to_server,
                MediaServicer(self.keeper, Shelf(SPOOLED)),
                media_pb,
                "MediaService",
            ),
        ]
        for register, servicer, module, name in served:
            server.add(register, servicer, module.DESCRIPTOR.services_by_name[name])
        async with server.running() as address, client.channel(address) as channel:
            self.jobs, self.media = JobServiceStub(channel), MediaServiceStub(channel)
            yield self

    @asynccontextmanager
    async def working(self, **options):
        config = WorkerConfig(listen="127.0.0.1:0", **{"backoff_seconds": 0.1, **options})
        account = DomainConfig(
            api_url=self.network.url,
            dds_url=self.network.url,
            posemesh_email=EMAIL,
            posemesh_password=PASSWORD,
        )
        async with (
            peers_fake.serving(self.rooms) as address,
            peers.connected(
                PeersConfig(
                    database_url="unused",
                    media_url="file:///unused",
                    vision_target=address,
                    reasoning_target=address,
                    audio_target=address,
                )
            ) as connected,
            Fetcher(HERE, seconds=1) as fetcher,
            domain.opened(account, HERE, SystemClock()) as opened,
        ):
            gatherer = Gatherer(
                self.keeper, Sources(fetcher, root=self.root), Shelf(SPOOLED), opened
            )
            queue = PostgresJobQueue(self.database)
            worker = Worker(queue, connected, gatherer, config, name="w", clock=SystemClock())
            async with worker.running():
                yield

    async def create(self, kind, given, tenant=ACME):
        request = pb.CreateJobRequest(type=kind, input=input_pb.JobInput(**{kind: given}))
        return (await self.jobs.CreateJob(request, metadata=tenant)).job

    async def caption(self, *images, **fields):
        return await self.create("caption_v1", input_pb.CaptionInput(images=images, **fields))

    async def upload(self, data, tenant=ACME):
        request = media_pb.UploadRequest(content=HttpBody(data=data))
        return (await self.media.Upload(request, metadata=tenant)).uri

    async def get(self, job):
        return (await self.jobs.GetJob(pb.GetJobRequest(id=job.id), metadata=ACME)).job

    async def events(self, job):
        watching = self.jobs.WatchJob(pb.WatchJobRequest(id=job.id), metadata=ACME)
        return [news.event async for news in watching]

    async def ended(self, job):
        async with asyncio.timeout(30):
            await self.events(job)
        return await self.get(job)

    async def done(self, job, **options):
        async with self.working(**options):
            return await self.ended(job)


@pytest.fixture
async def mesh(database, keeper, rooms, network, tmp_path) -> AsyncIterator[Mesh]:
    async with Mesh(database, keeper, rooms, network, tmp_path).serving() as serving:
        yield serving


def image(uri, image_id=""):
    return image_pb2.Image(uri=uri, id=image_id)


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value.code(), failed.value.details()


async def test_a_picture_is_worked_on_however_it_is_named(mesh, web):
    (mesh.root / "picture.png").write_bytes(PICTURES[3])
    job = await mesh.caption(
        image(f"data:image/png;base64,{base64.b64encode(PICTURES[1]).decode()}", "data"),
        image(await mesh.upload(PICTURES[2]), "upload"),
        image((mesh.root / "picture.png").as_uri(), "file"),
        image(web.url("/file"), "address"),
    )
    mesh.rooms.says = {picture: f"picture {n}" for n, picture in enumerate(PICTURES)}
    job = await mesh.done(job)
    assert job.state == STATE.JOB_STATE_COMPLETED, job.error
    told = {it.image_id: it.text for it in job.output.caption_v1.captions}
    assert told == {
        "data": "picture 1",
        "upload": "picture 2",
        "file": "picture 3",
        "address": "picture 0",
    }
    steps = {it.step for it in await mesh.events(job) if it.step}
    assert steps == {"fetch/0", "fetch/1", *(f"describe/{n}" for n in range(4))}
    assert job.progress.done_steps == job.progress.total_steps == 6
    # What was sent after all is no longer named, and takes no room twice.
    assert job.input.caption_v1.images[0].uri == ""


async def test_a_recording_is_fetched_too(mesh, web):
    web.body = b"some sound"
    given = input_pb.TranscriptionInput(uri=web.url("/file"), language="en")
    job = await mesh.done(await mesh.create("transcription_v1", given))
    assert job.output.transcription_v1.transcript.text == "10 bytes in en"


async def upload_stream(mesh, parts):
    async def requests():
        for part in parts:
            yield media_pb.UploadStreamRequest(content=HttpBody(data=part))

    return (await mesh.media.UploadStream(requests(), metadata=ACME)).uri


def transcription(**given):
    return "transcription_v1", input_pb.TranscriptionInput(**given)


def session(**given):
    recording = input_pb.TranscriptionInput(**given)
    return "session_report_v1", input_pb.SessionReportInput(recording=recording)


@pytest.mark.parametrize("of", [transcription, session])
@pytest.mark.parametrize("named", ["upload", "address", "file"])
async def test_a_recording_that_is_larger_than_a_body_is_heard(mesh, web, named, of):
    parts = [bytes([at]) * limits.MEBIBYTE for at in range(36)]
    whole = b"".join(parts)
    match named:
        case "upload":
            uri = await upload_stream(mesh, parts)
        case "address":
            web.body, uri = whole, web.url("/file")
        case _:
            uri = (mesh.root / "talk.wav").as_uri()
            (mesh.root / "talk.wav").write_bytes(whole)
    job = await mesh.done(await mesh.create(*of(uri=uri)))
    assert job.state == STATE.JOB_STATE_COMPLETED, job.error
    heard = ("TranscribeRecording", hashlib.sha256(whole).hexdigest())
    assert [it for it in mesh.rooms.answered if it[0] == heard[0]] == [heard]


async def test_a_recording_that_there_is_no_room_for_fails_its_job_and_is_named(mesh, web):
    job = await mesh.done(await mesh.create(*transcription(uri=web.url("/endless"))))
    assert (job.state, job.error.reason) == (STATE.JOB_STATE_FAILED, "MEDIA_TOO_LARGE")
    assert "the recording" in job.error.message


async def test_only_a_recording_may_be_larger_than_a_body(mesh):
    uri = await upload_stream(mesh, [bytes(limits.MEBIBYTE)] * 33)
    for create in (
        mesh.caption(image(uri)),
        mesh.create("surveillance_v1", input_pb.SurveillanceInput(video=video_pb2.Video(uri=uri))),
        mesh.media.Get(media_pb.GetRequest(id=uri.removeprefix("media://")), metadata=ACME),
    ):
        code, told = await refused(create)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "can only be heard, by jobs" in told


async def test_media_of_another_tenant_cannot_be_referred_to(mesh):
    uri = await mesh.upload(PICTURES[0], OTHER)
    code, told = await refused(mesh.caption(image(uri)))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "images[0].uri: there is no such media" in told


async def test_a_job_keeps_what_it_refers_to_when_it_is_deleted_and_expires(mesh):
    uri = await mesh.upload(PICTURES[0])
    job = await mesh.caption(image(uri))
    await mesh.media.Delete(media_pb.DeleteRequest(id=uri.removeprefix("media://")), metadata=ACME)
    await mesh.keeper.sweep()
    code, _ = await refused(mesh.caption(image(uri)))
    assert code is grpc.StatusCode.NOT_FOUND
    assert (await mesh.done(job)).state == STATE.JOB_STATE_COMPLETED
    assert mesh.rooms.described == [PICTURES[0]]


async def test_who_asks_again_has_the_first_job_although_the_upload_is_gone(mesh):
    uri = await mesh.upload(PICTURES[0])
    given = input_pb.JobInput(caption_v1=input_pb.CaptionInput(images=[image(uri)]))
    request = pb.CreateJobRequest(type="caption_v1", input=given, request_id="order-7")
    first = await mesh.jobs.CreateJob(request, metadata=ACME)
    await mesh.media.Delete(media_pb.DeleteRequest(id=uri.removeprefix("media://")), metadata=ACME)
    assert await mesh.jobs.CreateJob(request, metadata=ACME) == first
    request.request_id = "order-8"
    code, _ = await refused(mesh.jobs.CreateJob(request, metadata=ACME))
    assert code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("http://169.254.169.254/latest/meta-data", "not public"),
        ("http://user:hush@example.com/x.jpg", "a name or a password"),
        ("http://[::1]/x.jpg", "not public"),
        ("http://8.8.8.8:25/x.jpg", "port"),
        ("data:image/png,AAAA!", "is not a picture"),
        ("data:image/png;base64,AA*A", "is not whole base64"),
        ("media://../../x", "there is no such media"),
    ],
)
async def test_what_may_not_be_named_is_refused_at_once(mesh, uri, problem):
    code, told = await refused(mesh.caption(image(uri)))
    assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
    assert "images[0].uri" in told
    assert problem in told
    assert "hush" not in told


async def test_what_the_operator_has_not_opened_is_refused_with_what_to_set(
    database, keeper, rooms, network, tmp_path
):
    async with Mesh(database, keeper, rooms, network, tmp_path).serving(
        files=False, domains=False
    ) as mesh:
        _, told = await refused(mesh.caption(image("file:///x.jpg")))
        assert "JOBS_MEDIA_ROOT" in told
        query = input_pb.DomainQuery(domain_id=DOMAIN)
        _, told = await refused(mesh.caption(domain=query))
        assert "API_URL" in told


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/status/404", "FETCH_FAILED"), ("/gone/too", "FETCH_FAILED")],
)
async def test_a_picture_that_is_not_there_fails_the_job_and_is_named(mesh, web, path, reason):
    job = await mesh.caption(image(web.url("/file"), "good"), image(web.url(path), "bad"))
    job = await mesh.done(job)
    assert (job.state, job.error.reason) == (STATE.JOB_STATE_FAILED, reason)
    assert "picture 1 (bad): cannot be fetched" in job.error.message
    assert not job.error.retryable
    assert "127.0.0.1" not in job.error.message


async def test_what_is_no_picture_fails_the_job_and_is_named(mesh, web):
    web.body = b"<html>hello"
    job = await mesh.done(await mesh.caption(image(web.url("/file"), "page")))
    assert job.error.reason == "IMAGE_UNKNOWN"
    assert "picture 0 (page)" in job.error.message


async def test_a_server_that_is_down_is_asked_again_and_what_was_fetched_is_not(mesh, web):
    job = await mesh.caption(image(web.url("/file"), "good"), image(web.url("/status/503"), "bad"))
    async with mesh.working(source_patience_seconds=0, concurrency=1):
        job = await mesh.ended(job)
    assert (job.state, job.attempt) == (STATE.JOB_STATE_FAILED, 3)
    assert job.error.retryable
    asked = [it.path for it in web.requests]
    assert (asked.count("/file"), asked.count("/status/503")) == (1, 3)


async def test_a_retry_keeps_what_was_fetched_and_a_new_input_drops_it(mesh, web, tmp_path):
    job = await mesh.done(await mesh.caption(image(web.url("/file"), "one")))
    again = input_pb.JobInput(caption_v1=input_pb.CaptionInput(prompt="in a word"))
    for given in (None, again):
        await mesh.jobs.RetryJob(pb.RetryJobRequest(id=job.id, input=given), metadata=ACME)
        assert (await mesh.done(job)).state == STATE.JOB_STATE_COMPLETED
    assert len(web.requests) == 1
    assert len(mesh.rooms.described) == 3
    web.body = PICTURES[1]
    new = input_pb.CaptionInput(images=[image(web.url("/file?new"), "two")])
    given = input_pb.JobInput(caption_v1=new)
    await mesh.jobs.RetryJob(pb.RetryJobRequest(id=job.id, input=given), metadata=ACME)
    job = await mesh.done(job)
    assert [it.image_id for it in job.output.caption_v1.captions] == ["two"]
    assert mesh.rooms.described[-1] == PICTURES[1]
    while await mesh.keeper.sweep():
        pass
    assert len([it for it in (tmp_path / "media").rglob("*") if it.is_file()]) == 1


async def test_the_pictures_of_a_domain_are_timed_in_their_order(mesh, network):
    network.hold(
        Item("later", "IMG_20251011_120010.jpg", PICTURES[1]),
        Item("twin", "same.photo.jpg", PICTURES[2], "a/b", "2025-10-11T12:00:20Z"),
        Item("first", "IMG_20251011_120000.jpg", PICTURES[0]),
        Item("twin-2", "same.photo.jpg", PICTURES[3], "a/b", "2025-10-11T12:00:30Z"),
        Item("label", "label.txt", b"hello", "text/plain"),
    )
    mesh.rooms.says = {PICTURES[1]: "stocking", PICTURES[2]: "stocking"}
    given = input_pb.TaskTimingInput(
        task="stocking", domain=input_pb.DomainQuery(domain_id=DOMAIN, upload_output=True)
    )
    job = await mesh.done(await mesh.create("task_timing_v1", given))
    assert job.state == STATE.JOB_STATE_COMPLETED, job.error
    output = job.output.task_timing_v1
    assert [it.image_id for it in output.observations] == ["first", "later", "twin", "twin-2"]
    times = [it.capture_time.seconds for it in output.observations]
    assert [after - before for before, after in pairwise(times)] == [10, 10, 10]
    [task] = output.tasks
    assert (task.start_image_id, task.end_image_id) == ("later", "twin")
    told = {it.step: it.text for it in await mesh.events(job) if it.step}
    assert told["list-domain"] == "5 items"
    assert told["fetch-domain/0"].startswith("4 pictures; skipped label: is not a picture")
    [stored] = [it for it in network.items.values() if it.data_type == "json"]
    assert stored.name == job.id
    assert b'"start_image_id":"later"' in stored.data


async def test_a_domain_that_breaks_off_is_asked_for_the_rest_alone(mesh, network):
    network.hold(*(Item(f"item-{n}", "x.jpg", PICTURES[n]) for n in range(3)))
    network.cut = 1
    job = await mesh.caption(domain=input_pb.DomainQuery(domain_id=DOMAIN))
    job = await mesh.done(job)
    assert job.state == STATE.JOB_STATE_COMPLETED, job.error
    asked = [it.query.get("ids") for it in network.asked("GET", "/data")]
    assert asked == [None, "item-0,item-1,item-2", "item-2"]
    assert len(job.output.caption_v1.captions) == 3


async def test_a_token_that_ends_in_the_middle_is_renewed(mesh, network):
    network.hold(Item("item", "x.jpg", PICTURES[0]))
    network.statuses["data"] = [(401, {})]
    job = await mesh.done(await mesh.caption(domain=input_pb.DomainQuery(domain_id=DOMAIN)))
    assert job.state == STATE.JOB_STATE_COMPLETED, job.error


@pytest.mark.parametrize("items", [[], [Item("label", "label.txt", b"hello")]])
async def test_a_domain_without_pictures_fails_the_job(mesh, network, items):
    network.hold(*items)
    job = await mesh.done(await mesh.caption(domain=input_pb.DomainQuery(domain_id=DOMAIN)))
    assert (job.state, job.error.reason) == (STATE.JOB_STATE_FAILED, "NO_DATA")
    assert "no data found" in job.error.message


async def test_a_retry_asks_the_domain_for_nothing_again(mesh, network):
    network.hold(Item("item", "x.jpg", PICTURES[0]))
    job = await mesh.done(await mesh.caption(domain=input_pb.DomainQuery(domain_id=DOMAIN)))
    before = len(network.requests)
    again = input_pb.JobInput(caption_v1=input_pb.CaptionInput(prompt="in a word"))
    await mesh.jobs.RetryJob(pb.RetryJobRequest(id=job.id, input=again), metadata=ACME)
    job = await mesh.done(job)
    assert [it.image_id for it in job.output.caption_v1.captions] == ["item"]
    assert len(network.requests) == before


async def test_jobs_that_race_with_the_sweeper_hold_their_media_or_are_refused(mesh, database):
    core, store = mesh.keeper, PostgresJobStore(database)
    gone = Holding("media/images/0", MediaId("f" * 32), "input")
    new = NewJob("acme", JobType.CAPTION_V1, CaptionInput("", ()), (), media=(gone,))
    with pytest.raises(NotFound, match="just expired"):
        await store.create(new)
    assert not await core.sweep()
