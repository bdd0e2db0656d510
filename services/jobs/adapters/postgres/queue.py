"""Jobs for workers: handed out under a lease and a token, and their results taken."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    CTE,
    JSON,
    Insert,
    Text,
    Update,
    case,
    cast,
    func,
    insert,
    literal,
    null,
    select,
    tuple_,
    update,
)

from services.chassis.errors import Conflict, Internal
from services.jobs import record
from services.jobs.adapters.postgres.changes import CANCEL, NOW, TIME, WORK, told
from services.jobs.adapters.postgres.database import Database
from services.jobs.adapters.postgres.rows import claim_from_row
from services.jobs.adapters.postgres.tables import job_blobs, job_steps, jobs
from services.jobs.bells import Bell
from services.jobs.content import Blob, JobOutput
from services.jobs.domain import (
    Claim,
    Failure,
    JobError,
    JobEventKind,
    JobId,
    JobState,
    Json,
    Progress,
)

WORKER_LOST: Final = JobError(
    reason="WORKER_LOST",
    message="its worker died or froze at every attempt; look at the workers' logs, then retry it",
    retryable=True,
)
_HELD: Final = (JobState.RUNNING, JobState.CANCELLING)
# As text, so that the planner sees that the partial index will do.
_IS_PENDING: Final = jobs.c.state == literal(JobState.PENDING.value, literal_execute=True)
_IS_HELD: Final = jobs.c.state.in_([literal(it.value, literal_execute=True) for it in _HELD])
_STOPPING: Final = jobs.c.state == JobState.CANCELLING
_NONE: Final = cast(null(), JSON)
_LET_GO: Final = {"worker": None, "lease_expires": None}


class PostgresJobQueue:
    """Hands jobs out of PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, worker: str, *, limit: int, lease: timedelta) -> Sequence[Claim]:
        """Take up the jobs that have waited longest, at most `limit`."""
        due = (
            select(jobs.c.id)
            .where(_IS_PENDING, jobs.c.run_after <= NOW)
            .order_by(jobs.c.priority.desc(), jobs.c.run_after, jobs.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        change = (
            update(jobs)
            .values(
                state=JobState.RUNNING,
                attempt=jobs.c.attempt + 1,
                charged_attempts=jobs.c.charged_attempts + 1,
                token=jobs.c.token + 1,
                worker=worker,
                lease_expires=NOW + lease,
                start_time=func.coalesce(jobs.c.start_time, TIME),
            )
            .where(jobs.c.id == due.c.id)
        )
        rows = await self._database.rows(told(change, JobEventKind.CLAIMED, text=f"by {worker}"))
        return [claim_from_row(row) for row in rows]

    async def heartbeat(
        self, claims: Collection[Claim], *, lease: timedelta
    ) -> Mapping[JobId, JobState]:
        """Renew leases. Returns the states of the jobs still held; the others are lost."""
        held = [(claim.job.id, claim.token) for claim in claims]
        statement = (
            update(jobs)
            .values(lease_expires=NOW + lease)
            .where(_IS_HELD, tuple_(jobs.c.id, jobs.c.token).in_(held))
            .returning(jobs.c.id, jobs.c.state)
        )
        return {JobId(row.id): JobState(row.state) for row in await self._database.rows(statement)}

    async def reclaim(self) -> int:
        """Take jobs from workers whose lease ran out, and tell how many."""
        expired = (
            select(jobs.c.id)
            .where(_IS_HELD, jobs.c.lease_expires < NOW)
            .with_for_update(skip_locked=True)
            .cte("expired")
        )
        used_up = jobs.c.charged_attempts >= jobs.c.max_attempts
        lost = literal(record.dump(WORKER_LOST), JSON)
        change = (
            update(jobs)
            .values(
                state=case(
                    (_STOPPING, JobState.CANCELLED),
                    (used_up, JobState.FAILED),
                    else_=JobState.PENDING,
                ),
                error=case((_STOPPING, jobs.c.error), (used_up, lost), else_=jobs.c.error),
                end_time=case((_STOPPING | used_up, TIME)),
                run_after=NOW,
                **_LET_GO,
            )
            .where(jobs.c.id == expired.c.id)
        )
        text = "its worker's lease ran out"
        statement = told(change, JobEventKind.LEASE_EXPIRED, text=text, bell=WORK, whole=False)
        return len(await self._database.rows(statement))

    async def steps(self, claim: Claim) -> Mapping[str, Json]:
        """Return the results of all recorded steps."""
        statement = select(job_steps).where(job_steps.c.job_id == claim.job.id)
        return {row.key: row.result for row in await self._database.rows(statement)}

    async def blob(self, claim: Claim, key: str) -> Blob:
        """Return the bytes of a picture or a recording."""
        statement = select(job_blobs).where(
            job_blobs.c.job_id == claim.job.id, job_blobs.c.key == key
        )
        for row in await self._database.rows(statement):
            return Blob(row.key, row.media_type, row.data)
        raise Internal(f"job {claim.job.id} has lost the bytes of {key}")

    async def record_step(
        self, claim: Claim, key: str, result: Json, *, text: str, progress: Progress
    ) -> None:
        """Record the result of a step once and for all, with an event that says `text`."""

        def step(changed: CTE) -> Insert:
            values = select(changed.c.id, literal(key, Text), literal(result, JSON))
            return insert(job_steps).from_select(["job_id", "key", "result"], values)

        change = _by(claim).values(**_columns(progress))
        kind = JobEventKind.STEP_COMPLETED
        await self._write(claim, told(change, kind, step=key, text=text, then=step, whole=False))

    async def report(self, claim: Claim, progress: Progress) -> None:
        """Tell how far the work is; no event comes of it."""
        change = _by(claim).values(**_columns(progress), update_time=TIME)
        await self._write(claim, change.returning(jobs.c.id))

    async def complete(self, claim: Claim, output: JobOutput) -> None:
        """End a job with its output."""
        written = literal(record.dump(output), JSON)
        change = _let_go(claim, JobState.COMPLETED, error=None).values(
            output=case((_STOPPING, _NONE), else_=written), current_step=""
        )
        await self._write(claim, told(change, JobEventKind.COMPLETED, whole=False))

    async def fail(self, claim: Claim, error: JobError) -> None:
        """End a job with an error."""
        change = _let_go(claim, JobState.FAILED, error=error)
        text = error.message
        await self._write(claim, told(change, JobEventKind.FAILED, text=text, whole=False))

    async def postpone(self, claim: Claim, failure: Failure) -> None:
        """Let a job wait for another attempt."""
        change = _let_go(claim, JobState.PENDING, error=failure.error).values(
            run_after=NOW + failure.delay,
            charged_attempts=jobs.c.charged_attempts - (0 if failure.counts else 1),
        )
        text = failure.error.message
        await self._write(claim, told(change, JobEventKind.ATTEMPT_FAILED, text=text, whole=False))

    async def release(self, claim: Claim) -> None:
        """Hand a job back as if this attempt had not been; its recorded steps stay."""
        change = _let_go(claim, JobState.PENDING, error=None).values(
            run_after=NOW,
            attempt=jobs.c.attempt - 1,
            charged_attempts=jobs.c.charged_attempts - 1,
        )
        await self._write(claim, told(change, JobEventKind.RELEASED, bell=WORK, whole=False))

    def work(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when a job may be claimed."""
        return self._database.bells.hung(WORK)

    def cancels(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when a running job is asked to stop."""
        return self._database.bells.hung(CANCEL)

    async def _write(self, claim: Claim, statement: Any) -> None:
        if not await self._database.rows(statement):
            raise Conflict(f"the lease of job {claim.job.id} is lost", code="LEASE_LOST")


def _by(claim: Claim) -> Update:
    return update(jobs).where(_fence(claim))


def _fence(claim: Claim) -> Any:
    return (jobs.c.id == claim.job.id) & (jobs.c.token == claim.token) & _IS_HELD


def _let_go(claim: Claim, state: JobState, *, error: JobError | None) -> Update:
    told_of = _NONE if error is None else literal(record.dump(error), JSON)
    return _by(claim).values(
        state=case((_STOPPING, JobState.CANCELLED), else_=state),
        error=case((_STOPPING, _NONE), else_=told_of),
        end_time=TIME if state.is_terminal else case((_STOPPING, TIME)),
        **_LET_GO,
    )


def _columns(progress: Progress) -> dict[str, Any]:
    return {
        "done_steps": progress.done_steps,
        "total_steps": progress.total_steps,
        "current_step": progress.current_step,
    }
