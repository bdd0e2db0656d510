"""Each type of job on a real worker and a real PostgreSQL, with the other rooms as doubles."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from mesh.types.v1 import scene_pb2

from services.chassis import call
from services.jobs.adapters.postgres import PostgresJobStore
from services.jobs.content import (
    Blob,
    JobType,
    SessionReportInput,
    Severity,
    SurveillanceInput,
    TaskTimingInput,
    TranscriptionInput,
    Video,
    VideoSummaryInput,
    VlmOnlyInput,
)
from services.jobs.domain import JobEventKind, JobState, NewJob
from tests.doubles import media_keeping, peers_fake
from tests.doubles.peers_fake import FakePeers
from tests.doubles.videos import video
from tests.integration import test_worker as workers
from tests.integration.test_worker import NOON, TENANT, pictures

CLIP = Video("clip", NOON, "video")
SAID = "A worker is standing. There is a spill. There is no ladder."


@pytest.fixture(autouse=True)
def _media(monkeypatch, tmp_path):
    monkeypatch.setenv("JOBS_MEDIA_URL", (tmp_path / "media").as_uri())


@pytest.fixture
def store(database) -> PostgresJobStore:
    return PostgresJobStore(database)


@pytest.fixture
def rooms() -> FakePeers:
    return FakePeers(otherwise=SAID)


@pytest.fixture
async def address(rooms) -> AsyncIterator[str]:
    async with peers_fake.serving(rooms) as address:
        yield address


def job_of(kind) -> NewJob:
    images, blobs = pictures(4)
    film = (Blob("video", "application/octet-stream", video()),)
    heard = (Blob("audio", "application/octet-stream", b"12345"),)
    given, of_it = {
        JobType.VLM_ONLY: (VlmOnlyInput("red?", images), blobs),
        JobType.TASK_TIMING_V1: (TaskTimingInput("to stand", "", images), blobs),
        JobType.SURVEILLANCE_V1: (SurveillanceInput("", (), CLIP), film),
        JobType.VIDEO_SUMMARY_V1: (VideoSummaryInput(CLIP, ""), film),
        JobType.TRANSCRIPTION_V1: (TranscriptionInput("audio", "en"), heard),
        JobType.SESSION_REPORT_V1: (
            SessionReportInput(TranscriptionInput("audio", "en"), None, video=CLIP),
            (*film, *heard),
        ),
    }[kind]
    return NewJob(TENANT, kind, given, of_it)


async def steps(store, job):
    return [it for it in await workers.events(store, job) if it.kind is JobEventKind.STEP_COMPLETED]


async def test_each_picture_is_answered_with_its_id_and_time(
    database, database_url, store, rooms, address
):
    images, blobs = pictures(3)
    rooms.says = {blob.data: f"answer {n}" for n, blob in enumerate(blobs)}
    given = VlmOnlyInput("red?", images)
    job = await store.create(NewJob(TENANT, JobType.VLM_ONLY, given, blobs))
    async with workers.working(database, database_url, address):
        job = await workers.ended(store, job)
    assert [(it.image_id, it.capture_time, it.text) for it in job.output.responses] == [
        (image.id, image.capture_time, f"answer {n}") for n, image in enumerate(images)
    ]


async def test_risks_are_found_by_what_is_said_and_by_what_is_seen(
    database, database_url, store, rooms, address
):
    images, blobs = pictures(4)
    rooms.says = {blob.data: "All is well." for blob in blobs[2:]}
    severe = scene_pb2.Risk(description="A fire.", severity=scene_pb2.SEVERITY_CRITICAL)
    rooms.sees = {blobs[3].data: [severe]}
    given = SurveillanceInput("", images)
    job = await store.create(NewJob(TENANT, JobType.SURVEILLANCE_V1, given, blobs))
    async with workers.working(database, database_url, address):
        job = await workers.ended(store, job)
    found = [(it.risk.description, it.risk.severity) for it in job.output.risks]
    assert found == [("A fire.", Severity.CRITICAL), ("There is a spill.", Severity.MEDIUM)]
    assert [it.evidence_image_ids for it in job.output.risks] == [
        ("frame-3",),
        ("frame-0", "frame-1"),
    ]
    assert job.output.dropped_claims == 1
    assert job.progress.done_steps == job.progress.total_steps == len(await steps(store, job))


async def test_a_video_is_summed_up_by_its_scenes(database, database_url, store, rooms, address):
    job = await store.create(job_of(JobType.VIDEO_SUMMARY_V1))
    async with workers.working(database, database_url, address):
        job = await workers.ended(store, job)
    output = job.output
    ids = ("frame-0", "frame-1000", "frame-2000", "frame-3000")
    assert tuple(it.image_id for it in output.observations) == ids
    assert [it.offset_seconds for it in output.observations] == [0.0, 1.0, 2.0, 3.0]
    [scene] = output.scenes
    assert (scene.start_seconds, scene.end_seconds, scene.evidence_image_ids) == (0.0, 4.0, ids)
    assert (output.summary, output.duration_seconds) == (f"0 to 4 s: {scene.text}", 4.0)
    assert {it.image_id for told in output.summary_sentences for it in told.evidence} == {ids[0]}


async def test_a_session_is_reported_on_by_ear_and_eye(
    database, database_url, store, rooms, address
):
    rooms.otherwise = "A spill on the floor."
    job = await store.create(job_of(JobType.SESSION_REPORT_V1))
    async with workers.working(database, database_url, address):
        job = await workers.ended(store, job)
    output = job.output
    assert output.transcript.segments[0].start_seconds == 0.5
    assert [(it.start_seconds, it.segment_index) for it in output.timeline] == [
        *((0.0, None), (0.5, 0), (1.0, None), (2.0, None), (3.0, None)),
    ]
    [risk] = output.findings.risks
    assert [it.image_id for it in risk.evidence] == [it.image_id for it in output.observations]
    assert output.findings.summary == "0 s, seen: A spill on the floor."


async def test_what_is_no_video_fails_its_job_with_a_reason(database, database_url, store, address):
    blob = Blob("video", "application/octet-stream", b"no video at all")
    given = VideoSummaryInput(CLIP, "")
    job = await store.create(NewJob(TENANT, JobType.VIDEO_SUMMARY_V1, given, (blob,)))
    async with workers.working(database, database_url, address):
        job = await workers.ended(store, job)
    assert (job.state, job.error.reason) == (JobState.FAILED, "VIDEO_UNREADABLE")
    assert (job.error.retryable, job.attempt) == (False, 1)


@pytest.mark.parametrize(
    ("kind", "rpc", "answers", "known", "count"),
    [
        (JobType.VIDEO_SUMMARY_V1, "Extract", 0, ["sample", "describe/3", "measure/0"], 6),
        (JobType.SESSION_REPORT_V1, "CountTokens", 0, ["transcribe", "sample", "analyze/3"], 14),
        (JobType.SURVEILLANCE_V1, "Extract", 4, ["sample", "analyze/3", "claim/2", "check/0"], 10),
        (JobType.TASK_TIMING_V1, "Choose", 0, [f"describe/{n}" for n in range(4)], 15),
    ],
)
async def test_a_killed_job_goes_on_and_pays_for_nothing_twice(
    kind, rpc, answers, known, count, database_url, store, rooms, address
):
    rooms.hangs = {rpc: answers}
    job = await store.create(job_of(kind))
    async with workers.worker_process(database_url, address) as first:
        async with asyncio.timeout(20):
            await rooms.held.wait()
            # Sentences are judged side by side: which of them is first is not known.
            await workers.recorded(store, job, *known, least=len(known) + answers)
        before = len(await steps(store, job))
        first.send_signal(signal.SIGKILL)
        await first.wait()
    rooms.hangs = {}
    async with workers.worker_process(database_url, address):
        job = await workers.ended(store, job)
    assert job.state is JobState.COMPLETED
    assert before > 0
    # The same picture may look like another; each of them is asked about once all the same.
    assert len(rooms.answered) == count
    extracted = Counter(it for it in rooms.answered if it[0] in ("Extract", "Choose"))
    assert set(extracted.values()) <= {1}
    told = [it.step for it in await steps(store, job)]
    assert len(told) == len(set(told)) == job.progress.total_steps


@pytest.mark.parametrize(
    ("kind", "rpc"),
    [
        (JobType.VLM_ONLY, "Describe"),
        (JobType.SURVEILLANCE_V1, "Extract"),
        (JobType.VIDEO_SUMMARY_V1, "Extract"),
        (JobType.TASK_TIMING_V1, "Choose"),
        (JobType.TRANSCRIPTION_V1, "TranscribeRecording"),
        (JobType.SESSION_REPORT_V1, "TranscribeRecording"),
    ],
)
async def test_a_cancelled_step_is_told_and_stops_within_two_seconds(
    kind, rpc, database, database_url, store, rooms, address
):
    rooms.hangs = {rpc: 0}
    job = await store.create(job_of(kind))
    async with workers.working(database, database_url, address, lease_seconds=60):
        async with asyncio.timeout(20):
            await rooms.held.wait()
        await store.cancel(TENANT, job.id)
        async with asyncio.timeout(2):
            await rooms.left.wait()
        job = await workers.ended(store, job, seconds=2)
    assert job.state is JobState.CANCELLED


@pytest.mark.parametrize("kind", [JobType.SURVEILLANCE_V1, JobType.VIDEO_SUMMARY_V1])
async def test_watchers_who_join_early_midway_and_late_are_told_the_same(
    kind, database, database_url, store, address
):
    core = media_keeping.jobs(database)

    async def watched(job, began=None):
        with call.use(call.Call(tenant=TENANT)):
            told = []
            async for news in core.watch(job.id, after=0):
                told.append((news.event.sequence, news.event.kind, news.event.step))
                if began is not None:
                    began.set()
            return told

    job = await store.create(job_of(kind))
    began = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        early = [group.create_task(watched(job, began)) for _ in range(3)]
        await began.wait()
        async with workers.working(database, database_url, address):
            await workers.recorded(store, job, "sample")
            midway = [group.create_task(watched(job)) for _ in range(3)]
            await workers.ended(store, job)
    late = await watched(job)
    assert [it[0] for it in late] == list(range(1, len(late) + 1))
    assert all(task.result() == late for task in (*early, *midway))
