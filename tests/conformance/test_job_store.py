"""What every keeper of jobs must do, asked of PostgreSQL and of the double alike."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.errors import Conflict, NotFound, Precondition
from services.jobs.adapters.postgres import Database, PostgresJobQueue, PostgresJobStore
from services.jobs.content import (
    Blob,
    CaptionInput,
    CaptionOutput,
    Image,
    JobType,
    Observation,
    TranscriptionInput,
)
from services.jobs.domain import (
    Failure,
    JobError,
    JobEventKind,
    JobState,
    NewJob,
    Progress,
    QueueStats,
    Revision,
)
from services.jobs.ports.store import Place, Selection
from tests.doubles.job_store_memory import MemoryJobStore

LEASE = timedelta(minutes=1)
RUN_OUT = timedelta(0)
TAKEN = datetime(2026, 5, 1, 12, tzinfo=UTC)
INPUT = CaptionInput("what is there?", (Image("front", TAKEN, "images/0"),))
PICTURE = Blob("images/0", "image/png", b"\x89PNG\x00\xff")
NEW = NewJob(tenant="acme", type=JobType.CAPTION_V1, input=INPUT, blobs=(PICTURE,))
OUTPUT = CaptionOutput((Observation("front", TAKEN, "a box"),))
ERROR = JobError("UNAVAILABLE", "the engine is down", retryable=True)
K = JobEventKind
S = JobState


@pytest.fixture(params=["postgres", "memory"])
async def keeper(request):
    if request.param == "memory":
        memory = MemoryJobStore()
        yield memory, memory
        return
    async with Database(request.getfixturevalue("database_url")) as database:
        yield PostgresJobStore(database), PostgresJobQueue(database)


@pytest.fixture(params=["postgres", "memory"])
async def limited(request):
    """A store and a queue of which two captions are held at most."""
    limits = {JobType.CAPTION_V1: 2}
    if request.param == "memory":
        memory = MemoryJobStore(limits)
        yield memory, memory
        return
    async with Database(request.getfixturevalue("database_url")) as database:
        yield PostgresJobStore(database), PostgresJobQueue(database, type_limits=limits)


@pytest.fixture
def store(keeper):
    return keeper[0]


@pytest.fixture
def queue(keeper):
    return keeper[1]


async def claim_one(queue, *, lease=LEASE):
    [claim] = await queue.claim("worker-1", limit=1, lease=lease)
    return claim


async def kinds(store, job):
    job = await store.get(job.tenant, job.id)
    events = await store.events(job, after=0)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert job.last_sequence == len(events)
    return [event.kind for event in events]


async def test_a_created_job_is_kept_as_it_was(store):
    data = {"nested": {"a": [1, 2.5, None, "\0"]}, "order": 1, "an": "id"}
    created = await store.create(replace(NEW, client_data=data))
    job = await store.get("acme", created.id)
    assert job == created
    assert (job.state, job.input, job.client_data) == (JobState.PENDING, INPUT, data)
    assert list(job.client_data) == list(data)
    assert (job.attempt, job.start_time, job.end_time, job.output) == (0, None, None, None)
    assert await kinds(store, job) == [K.CREATED]


async def test_the_same_request_id_returns_the_first_job(store):
    first = await store.create(replace(NEW, request_id="r"))
    again = await store.create(replace(NEW, request_id="r", client_data={"other": 1}))
    assert again == first
    assert await kinds(store, first) == [K.CREATED]


async def test_a_storm_of_one_request_id_makes_one_job(store):
    jobs = await asyncio.gather(*(store.create(replace(NEW, request_id="r")) for _ in range(12)))
    assert len({job.id for job in jobs}) == 1


async def test_a_request_id_belongs_to_its_tenant(store):
    mine = await store.create(replace(NEW, request_id="r"))
    theirs = await store.create(replace(NEW, request_id="r", tenant="other"))
    assert mine.id != theirs.id


async def test_another_tenants_job_does_not_exist(store):
    job = await store.create(NEW)
    with pytest.raises(NotFound):
        await store.get("other", job.id)
    with pytest.raises(NotFound):
        await store.cancel("other", job.id)
    with pytest.raises((NotFound, Conflict)):
        await store.retry(replace(job, tenant="other"), Revision())
    assert await store.list("other", Selection(limit=10)) == []


async def test_jobs_are_listed_newest_first_page_by_page(store):
    made = [await store.create(NEW) for _ in range(5)]
    first = await store.list("acme", Selection(limit=2))
    place = Place(first[-1].create_time, first[-1].id)
    rest = await store.list("acme", Selection(limit=10, after=place))
    assert [*first, *rest] == made[::-1]
    assert await store.list("acme", Selection(limit=2, skip=3)) == made[1::-1]


async def test_jobs_are_listed_by_type_and_state(store):
    waits, stopped = await store.create(NEW), await store.create(NEW)
    stopped = await store.cancel("acme", stopped.id)
    pending = Selection(limit=10, type=JobType.CAPTION_V1, state=JobState.PENDING)
    assert await store.list("acme", pending) == [waits]
    assert await store.list("acme", replace(pending, state=JobState.CANCELLED)) == [stopped]
    assert await store.list("acme", Selection(limit=10, type=JobType.TASK_TIMING_V1)) == []


async def test_the_job_that_waited_longest_is_claimed_first(store, queue):
    made = [await store.create(NEW) for _ in range(3)]
    claims = await queue.claim("worker-1", limit=2, lease=LEASE)
    assert {claim.id for claim in claims} == {job.id for job in made[:2]}
    assert all(claim.attempt == 1 for claim in claims)
    running = [await store.get("acme", claim.id) for claim in claims]
    assert all(job.state is JobState.RUNNING and job.start_time for job in running)


async def test_a_more_urgent_job_is_claimed_first(store, queue):
    wanted = [(await store.create(replace(NEW, priority=it))).id for it in (-100, 0, 100, 7)]
    claimed = [(await claim_one(queue)).id for _ in wanted]
    assert claimed == [wanted[2], wanted[3], wanted[1], wanted[0]]
    assert [(await store.get("acme", it)).priority for it in claimed] == [100, 7, 0, -100]


async def test_a_job_is_not_claimed_before_its_time(store, queue):
    later, earlier = datetime.now(UTC) + timedelta(hours=1), datetime(2020, 1, 1, tzinfo=UTC)
    waits = await store.create(replace(NEW, run_after=later, priority=100))
    now = await store.create(NEW)
    due = await store.create(replace(NEW, run_after=earlier))
    claims = await queue.claim("worker-1", limit=9, lease=LEASE)
    # A time that has passed is no way to the front.
    assert [claim.id for claim in claims] == [now.id, due.id]
    assert (await store.get("acme", waits.id)).run_after == later
    assert (waits.run_after, due.run_after) == (later, earlier)


async def test_stats_count_what_waits_and_what_is_held_of_one_tenant(store, queue):
    for tenant in ("acme", "acme", "acme", "acme", "other"):
        await store.create(replace(NEW, tenant=tenant))
    held, done, *_ = await queue.claim("worker-1", limit=2, lease=LEASE)
    await queue.complete(done, OUTPUT)
    assert (await numbers(store)) == (2, 1, {S.PENDING: 2, S.RUNNING: 1, S.COMPLETED: 1})
    await store.cancel("acme", held.id)
    assert (await numbers(store)) == (2, 1, {S.PENDING: 2, S.CANCELLING: 1, S.COMPLETED: 1})
    await queue.release(held)
    assert (await numbers(store)) == (2, 0, {S.PENDING: 2, S.CANCELLED: 1, S.COMPLETED: 1})
    await store.retry(await store.get("acme", done.id), Revision())
    assert (await numbers(store)) == (3, 0, {S.PENDING: 3, S.CANCELLED: 1})
    assert (await numbers(store, "other")) == (1, 0, {S.PENDING: 1})
    assert await store.stats("nobody") == QueueStats(0, 0)


async def numbers(store, tenant="acme"):
    stats = await store.stats(tenant)
    assert {kind for kind, _ in stats.counts} <= {JobType.CAPTION_V1}
    return stats.pending, stats.running, {state: n for (_, state), n in stats.counts.items()}


async def test_stats_tell_how_long_the_first_has_been_due(store, queue):
    await store.create(replace(NEW, run_after=datetime.now(UTC) + timedelta(hours=1)))
    assert (await store.stats("acme")).longest_due is None
    await store.create(NEW)
    first = (await store.stats("acme")).longest_due
    assert first < (await store.stats("acme")).longest_due < timedelta(minutes=1)


async def test_what_waits_is_counted_by_tenant_and_type(store, queue):
    given = TranscriptionInput("", "")
    for new in (NEW, NEW, replace(NEW, type=JobType.TRANSCRIPTION_V1, input=given)):
        await store.create(new)
    await store.create(replace(NEW, tenant="other"))
    await claim_one(queue)
    assert dict(await store.waiting()) == {
        ("acme", JobType.CAPTION_V1): 1,
        ("acme", JobType.TRANSCRIPTION_V1): 1,
        ("other", JobType.CAPTION_V1): 1,
    }


async def test_a_job_is_found_by_its_request_id(store):
    job = await store.create(replace(NEW, request_id="r"))
    assert await store.known("acme", "r") == job
    assert await store.known("acme", "s") is None
    assert await store.known("other", "r") is None


async def test_a_job_that_ended_long_ago_is_forgotten_with_all_that_is_its(store, queue):
    ended, young, waits = [await store.create(NEW) for _ in range(3)]
    claims = {claim.id: claim for claim in await queue.claim("w", limit=2, lease=LEASE)}
    claim = claims[ended.id]
    await queue.record_step(claim, "a", 1, text="", progress=Progress(1, 1))
    await queue.complete(claim, OUTPUT)
    assert await queue.forget(timedelta(hours=1)) == 0
    assert await queue.forget(timedelta(0)) == 1
    assert await queue.forget(timedelta(0)) == 0
    with pytest.raises(NotFound):
        await store.get("acme", ended.id)
    assert [it.id for it in await store.list("acme", Selection(limit=9))] == [waits.id, young.id]
    assert (await numbers(store)) == (1, 1, {S.PENDING: 1, S.RUNNING: 1})


async def test_no_more_of_a_limited_type_are_held_than_may_be(limited):
    store, queue = limited
    given = TranscriptionInput("", "")
    for _ in range(6):
        await store.create(NEW)
    other = await store.create(replace(NEW, type=JobType.TRANSCRIPTION_V1, input=given))
    # Two captions may be held at once; the transcription stands behind six of them.
    many = await asyncio.gather(*(queue.claim(f"w-{n}", limit=3, lease=LEASE) for n in range(4)))
    claims = [claim for some in many for claim in some]
    claims += await queue.claim("w-5", limit=3, lease=LEASE)
    held = [claim.type for claim in claims]
    assert sorted(held) == [JobType.CAPTION_V1, JobType.CAPTION_V1, JobType.TRANSCRIPTION_V1]
    assert await queue.claim("w-1", limit=9, lease=LEASE) == []
    caption = next(claim for claim in claims if claim.id != other.id)
    with queue.work() as bell:
        await listening(store)
        await rings(bell, queue.complete(caption, OUTPUT))
    assert len(await queue.claim("w-1", limit=9, lease=LEASE)) == 1


async def test_a_worker_may_take_fewer_of_a_type_or_none(limited):
    store, queue = limited
    given = TranscriptionInput("", "")
    for _ in range(3):
        await store.create(NEW)
    for _ in range(3):
        await store.create(replace(NEW, type=JobType.TRANSCRIPTION_V1, input=given))
    caption, transcription = JobType.CAPTION_V1, JobType.TRANSCRIPTION_V1

    async def taken(**most):
        most = {JobType(kind): many for kind, many in most.items()}
        claims = await queue.claim("w", limit=9, lease=LEASE, most=most)
        return sorted(claim.type for claim in claims)

    assert await taken(caption_v1=1, transcription_v1=0) == [caption]
    assert await taken(caption_v1=0, transcription_v1=1) == [transcription]
    # The limit that all workers have stands beside that.
    assert await taken(caption_v1=9, transcription_v1=1) == [caption, transcription]
    assert await taken(caption_v1=9) == [transcription]


async def test_a_worker_without_limits_may_take_fewer_too(store, queue):
    for _ in range(3):
        await store.create(NEW)
    none, one = {JobType.CAPTION_V1: 0}, {JobType.CAPTION_V1: 1}
    assert await queue.claim("w", limit=9, lease=LEASE, most=none) == []
    assert len(await queue.claim("w", limit=9, lease=LEASE, most=one)) == 1
    assert len(await queue.claim("w", limit=9, lease=LEASE, most={})) == 2


async def test_a_job_is_claimed_once_however_many_ask(store, queue):
    for _ in range(20):
        await store.create(NEW)
    many = await asyncio.gather(
        *(queue.claim(f"worker-{n}", limit=5, lease=LEASE) for n in range(8))
    )
    claimed = [claim.id for claims in many for claim in claims]
    assert len(claimed) == len(set(claimed))
    left = await queue.claim("last", limit=100, lease=LEASE)
    assert len(claimed) + len(left) == 20


async def test_a_claim_carries_the_bytes_and_the_trace(store, queue):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await store.create(replace(NEW, trace=trace))
    claim = await claim_one(queue)
    assert claim.trace == trace
    assert await queue.blob(claim, "images/0") == PICTURE


async def test_bytes_that_came_of_the_work_are_there_for_the_next_worker(store, queue):
    await store.create(NEW)
    first = await claim_one(queue)
    await queue.keep_blob(first, Blob("frames/0", "image/jpeg", b"\xff\xd8 old"))
    frame = Blob("frames/0", "image/jpeg", b"\xff\xd8\x00")
    await queue.keep_blob(first, frame)
    await queue.release(first)
    second = await claim_one(queue)
    assert await queue.blob(second, "frames/0") == frame
    assert await queue.blob(second, "images/0") == PICTURE
    with pytest.raises(Conflict, match="lease"):
        await queue.keep_blob(first, replace(frame, data=b"of another"))
    assert await queue.blob(second, "frames/0") == frame


async def test_recorded_steps_are_there_for_the_next_worker(store, queue):
    job = await store.create(NEW)
    first = await claim_one(queue)
    result = {"text": "a\0b", "n": [1, None, True]}
    progress = Progress(1, 3, "describe/1")
    await queue.record_step(first, "describe/0", result, text="a\0b", progress=progress)
    await queue.release(first)
    second = await claim_one(queue)
    assert await queue.steps(second) == {"describe/0": result}
    assert (await store.get("acme", job.id)).progress == progress
    events = await store.events(await store.get("acme", job.id), after=2)
    told = events[0]
    assert (told.kind, told.step, told.progress) == (K.STEP_COMPLETED, "describe/0", progress)
    assert told.text == "a\N{REPLACEMENT CHARACTER}b"


async def test_progress_can_be_told_without_an_event(store, queue):
    job = await store.create(NEW)
    await queue.report(await claim_one(queue), Progress(0, 7, "describe/0"))
    assert (await store.get("acme", job.id)).progress == Progress(0, 7, "describe/0")
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED]


async def test_a_completed_job_has_its_output(store, queue):
    job = await store.create(NEW)
    await queue.complete(await claim_one(queue), OUTPUT)
    job = await store.get("acme", job.id)
    assert (job.state, job.output, job.error) == (JobState.COMPLETED, OUTPUT, None)
    assert job.end_time is not None
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED, K.COMPLETED]


async def test_a_failed_job_says_why(store, queue):
    job = await store.create(NEW)
    await queue.fail(await claim_one(queue), ERROR)
    job = await store.get("acme", job.id)
    assert (job.state, job.error) == (JobState.FAILED, ERROR)
    [event] = await store.events(job, after=2)
    assert (event.kind, event.text) == (K.FAILED, ERROR.message)


async def test_a_postponed_job_waits_its_time(store, queue):
    later = await store.create(NEW)
    claim = await claim_one(queue)
    await queue.postpone(claim, Failure(ERROR, timedelta(hours=1), counts=True))
    assert await queue.claim("worker-1", limit=1, lease=LEASE) == []
    later = await store.get("acme", later.id)
    assert (later.state, later.error) == (JobState.PENDING, ERROR)
    assert await kinds(store, later) == [K.CREATED, K.CLAIMED, K.ATTEMPT_FAILED]


async def test_only_failures_that_count_use_up_attempts(store, queue):
    await store.create(NEW)
    left = []
    for counts in (False, True, False, True):
        claim = await claim_one(queue)
        left.append((claim.attempt, claim.attempts_left))
        await queue.postpone(claim, Failure(ERROR, timedelta(0), counts=counts))
    assert left == [(1, 2), (2, 2), (3, 1), (4, 1)]


async def test_a_released_job_is_as_if_the_attempt_had_not_been(store, queue):
    job = await store.create(NEW)
    await queue.release(await claim_one(queue))
    claim = await claim_one(queue)
    assert (claim.attempt, claim.attempts_left) == (1, 2)
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED, K.RELEASED, K.CLAIMED]


async def test_a_heartbeat_keeps_a_lease(store, queue):
    await store.create(NEW)
    claim = await claim_one(queue, lease=RUN_OUT)
    states = await queue.heartbeat([claim], lease=LEASE)
    assert states == {claim.id: JobState.RUNNING}
    assert await queue.reclaim() == 0


async def test_a_job_whose_lease_ran_out_goes_to_another_worker(store, queue):
    job = await store.create(NEW)
    lost = await claim_one(queue, lease=RUN_OUT)
    assert await queue.reclaim() == 1
    assert (await store.get("acme", job.id)).state is JobState.PENDING
    claim = await claim_one(queue)
    assert claim.token > lost.token
    assert await queue.heartbeat([lost, claim], lease=LEASE) == {job.id: JobState.RUNNING}
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED, K.LEASE_EXPIRED, K.CLAIMED]


async def test_a_job_that_loses_every_worker_is_given_up(store, queue):
    job = await store.create(NEW)
    for _ in range(3):
        await claim_one(queue, lease=RUN_OUT)
        assert await queue.reclaim() == 1
    job = await store.get("acme", job.id)
    assert (job.state, job.error.reason) == (JobState.FAILED, "WORKER_DIED")
    assert job.end_time is not None
    assert (await kinds(store, job))[-1] is K.FAILED
    assert await queue.claim("worker-1", limit=1, lease=LEASE) == []


WRITES = {
    "record_step": lambda queue, claim: queue.record_step(
        claim, "describe/0", "x", text="x", progress=Progress(1, 1)
    ),
    "report": lambda queue, claim: queue.report(claim, Progress(9, 9)),
    "complete": lambda queue, claim: queue.complete(claim, OUTPUT),
    "fail": lambda queue, claim: queue.fail(claim, ERROR),
    "postpone": lambda queue, claim: queue.postpone(claim, Failure(ERROR, LEASE, counts=True)),
    "release": lambda queue, claim: queue.release(claim),
    "keep_blob": lambda queue, claim: queue.keep_blob(claim, PICTURE),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_stale_token_changes_nothing(store, queue, write):
    await store.create(NEW)
    stale = await claim_one(queue, lease=RUN_OUT)
    await queue.reclaim()
    claim = await claim_one(queue)
    before = await store.get("acme", claim.id)
    with pytest.raises(Conflict, match="lease"):
        await write(queue, stale)
    assert await store.get("acme", claim.id) == before
    assert await queue.steps(claim) == {}


async def test_of_writes_at_once_a_stale_one_fails_alone(store, queue):
    for _ in range(9):
        await store.create(NEW)
    [stale] = await queue.claim("worker-1", limit=1, lease=RUN_OUT)
    await queue.reclaim()
    claims = await queue.claim("worker-2", limit=9, lease=LEASE)
    assert len(claims) == 9
    writes = [WRITES[name](queue, claim) for name, claim in zip(WRITES, claims, strict=False)]
    told = await asyncio.gather(
        *writes[:3], queue.complete(stale, OUTPUT), *writes[3:], return_exceptions=True
    )
    assert isinstance(told.pop(3), Conflict)
    assert told == [None] * len(WRITES)
    jobs = [await store.get("acme", claim.id) for claim in claims]
    assert [job.state for job in jobs[:6]] == [
        JobState.RUNNING,
        JobState.RUNNING,
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.PENDING,
        JobState.PENDING,
    ]
    assert all(job.state is JobState.RUNNING for job in jobs[6:])
    for job in jobs:
        await kinds(store, job)


async def test_of_writes_at_once_one_that_cannot_be_kept_fails_alone(store, queue):
    for _ in range(3):
        await store.create(NEW)
    claims = await queue.claim("worker-1", limit=3, lease=LEASE)
    lone_surrogate = "\ud800"
    told = await asyncio.gather(
        queue.complete(claims[0], OUTPUT),
        queue.fail(claims[1], replace(ERROR, reason=lone_surrogate)),
        queue.complete(claims[2], OUTPUT),
        return_exceptions=True,
    )
    assert (told[0], told[2]) == (None, None)
    assert (await store.get("acme", claims[2].id)).state is JobState.COMPLETED


async def test_writes_to_one_job_at_once_are_made_in_their_order(store, queue):
    job = await store.create(NEW)
    claim = await claim_one(queue)
    progress = Progress(1, 2, "b")
    await asyncio.gather(
        queue.record_step(claim, "a", 1, text="", progress=progress),
        queue.record_step(claim, "b", 2, text="", progress=Progress(2, 2, "")),
        queue.complete(claim, OUTPUT),
    )
    steps = [K.STEP_COMPLETED, K.STEP_COMPLETED]
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED, *steps, K.COMPLETED]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_nothing_is_written_after_the_end(store, queue, write):
    await store.create(NEW)
    claim = await claim_one(queue)
    await queue.complete(claim, OUTPUT)
    before = await store.get("acme", claim.id)
    with pytest.raises(Conflict):
        await write(queue, claim)
    assert await store.get("acme", claim.id) == before


async def test_a_cancelled_job_is_never_claimed(store, queue):
    job = await store.cancel("acme", (await store.create(NEW)).id)
    assert job.state is JobState.CANCELLED
    assert job.end_time is not None
    assert await queue.claim("worker-1", limit=1, lease=LEASE) == []
    assert await store.cancel("acme", job.id) == job
    assert await kinds(store, job) == [K.CREATED, K.CANCELLED]


ENDINGS = {name: WRITES[name] for name in ("complete", "fail", "postpone", "release")}


@pytest.mark.parametrize("write", ENDINGS.values(), ids=ENDINGS)
async def test_a_job_asked_to_stop_ends_cancelled_whatever_its_worker_writes(store, queue, write):
    job = await store.create(NEW)
    claim = await claim_one(queue)
    assert (await store.cancel("acme", job.id)).state is JobState.CANCELLING
    states = await queue.heartbeat([claim], lease=LEASE)
    assert states == {job.id: JobState.CANCELLING}
    await write(queue, claim)
    job = await store.get("acme", job.id)
    assert (job.state, job.output, job.error) == (JobState.CANCELLED, None, None)
    assert job.end_time is not None
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED, K.CANCEL_REQUESTED, K.CANCELLED]


async def test_a_job_asked_to_stop_whose_worker_dies_is_cancelled(store, queue):
    job = await store.create(NEW)
    await claim_one(queue, lease=RUN_OUT)
    await store.cancel("acme", job.id)
    await queue.reclaim()
    assert (await store.get("acme", job.id)).state is JobState.CANCELLED


async def test_what_is_over_cannot_be_cancelled(store, queue):
    done, failed = await store.create(NEW), await store.create(NEW)
    for claim in await queue.claim("worker-1", limit=2, lease=LEASE):
        if claim.id == done.id:
            await queue.complete(claim, OUTPUT)
        else:
            await queue.fail(claim, ERROR)
    for job in (done, failed):
        with pytest.raises(Precondition):
            await store.cancel("acme", job.id)


async def failed_with_a_step(store, queue):
    await store.create(NEW)
    claim = await claim_one(queue)
    await queue.record_step(claim, "describe/0", "x", text="x", progress=Progress(1, 2, "b"))
    await queue.fail(claim, ERROR)
    return await store.get("acme", claim.id)


async def test_a_retried_job_goes_on_with_its_steps_and_its_history(store, queue):
    failed = await failed_with_a_step(store, queue)
    job = await store.retry(failed, Revision())
    assert (job.state, job.error, job.end_time) == (JobState.PENDING, None, None)
    assert (job.attempt, job.progress) == (0, Progress(1, 2, "b"))
    claim = await claim_one(queue)
    assert (claim.attempt, claim.attempts_left) == (1, 2)
    assert await queue.steps(claim) == {"describe/0": "x"}
    assert (await kinds(store, job))[-3:] == [K.FAILED, K.RETRIED, K.CLAIMED]


async def test_a_retry_may_bring_another_input(store, queue):
    failed = await failed_with_a_step(store, queue)
    other = Blob("images/0", "image/jpeg", b"other")
    revision = Revision(
        input=replace(INPUT, prompt="why?"),
        blobs=(other,),
        client_data={"new": True},
        keeps_steps=False,
    )
    job = await store.retry(failed, revision)
    assert (job.input.prompt, job.client_data) == ("why?", {"new": True})
    assert job.progress == Progress()
    claim = await claim_one(queue)
    assert await queue.steps(claim) == {}
    assert await queue.blob(claim, "images/0") == other


async def test_a_job_that_is_not_over_cannot_be_retried(store, queue):
    job = await store.create(NEW)
    with pytest.raises(Precondition, match="pending"):
        await store.retry(job, Revision())
    claim = await claim_one(queue)
    with pytest.raises(Precondition, match="running"):
        await store.retry(await store.get("acme", claim.id), Revision())


async def test_a_retry_of_an_older_view_is_refused(store, queue):
    failed = await failed_with_a_step(store, queue)
    await store.retry(failed, Revision())
    await queue.fail(await claim_one(queue), ERROR)
    with pytest.raises(Conflict):
        await store.retry(failed, Revision())


async def test_events_are_those_of_the_job_as_it_was_read(store, queue):
    job = await store.create(NEW)
    await claim_one(queue)
    assert [it.kind for it in await store.events(job, after=0)] == [K.CREATED]
    job = await store.get("acme", job.id)
    assert [it.kind for it in await store.events(job, after=1)] == [K.CLAIMED]
    assert await store.events(job, after=2) == []


async def rings(bell, act):
    # Wait out what rang before; a bell that never rings again ends the test at its deadline.
    await bell.wait(0)
    await act
    async with asyncio.timeout(10):
        await bell.wait(60)


async def test_workers_hear_of_work(store, queue):
    await store.check()
    with queue.work() as bell:
        await listening(store)
        await rings(bell, store.create(NEW))
        claim = await claim_one(queue)
        await rings(bell, queue.release(claim))
        claim = await claim_one(queue)
        await queue.fail(claim, ERROR)
        failed = await store.get("acme", claim.id)
        await rings(bell, store.retry(failed, Revision()))


async def test_workers_hear_of_cancels_and_watchers_of_events(store, queue):
    job = await store.create(NEW)
    with queue.cancels() as cancels, store.news(job.id) as news:
        await listening(store)
        await rings(news, claim_one(queue, lease=RUN_OUT))
        await rings(cancels, store.cancel("acme", job.id))
        await rings(news, queue.reclaim())


async def listening(store):
    """Return once changes are heard of: PostgreSQL is listened to by a connection of its own."""
    probe = await store.create(replace(NEW, tenant="probe"))
    with store.news(probe.id) as bell:
        await asyncio.gather(bell.wait(10), store.cancel("probe", probe.id))


async def test_more_jobs_than_a_notice_can_name_are_all_heard_of(store, queue):
    jobs = [await store.create(NEW) for _ in range(201)]
    with store.news(jobs[0].id) as first, store.news(jobs[-1].id) as last:
        await listening(store)
        await last.wait(0)
        await rings(first, queue.claim("worker-1", limit=300, lease=LEASE))
        async with asyncio.timeout(10):
            await last.wait(60)


async def test_jobs_too_big_for_one_statement_are_kept_whole(store, queue):
    big = [Blob("images/0", "image/png", bytes([n]) * (5 << 20)) for n in range(3)]
    created = await asyncio.gather(*(store.create(replace(NEW, blobs=(it,))) for it in big))
    assert len({job.id for job in created}) == len(big)
    claims = {it.id: it for it in await queue.claim("worker-1", limit=9, lease=LEASE)}
    kept = [await queue.blob(claims[job.id], "images/0") for job in created]
    assert kept == big
