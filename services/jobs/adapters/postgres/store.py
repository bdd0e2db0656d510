"""Jobs for clients: kept, told of, sent back and stopped."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any, Final

from sqlalchemy import Delete, Select, TextClause, delete, insert, select, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.errors import Conflict, NotFound, Precondition, Resource, Unavailable
from services.jobs import record
from services.jobs.adapters.postgres import holdings
from services.jobs.adapters.postgres.batches import Batches
from services.jobs.adapters.postgres.changes import CANCEL, change
from services.jobs.adapters.postgres.counts import STATS, WAITING, stats_from_rows
from services.jobs.adapters.postgres.creates import CREATES, Creation, columns
from services.jobs.adapters.postgres.database import Database
from services.jobs.adapters.postgres.rows import events_from_rows, job_from_row, new_job
from services.jobs.adapters.postgres.snapshots import RETRY, SNAPSHOTS, in_state
from services.jobs.adapters.postgres.tables import (
    job_blobs,
    job_events,
    job_steps,
    jobs,
)
from services.jobs.bells import Bell
from services.jobs.content import Blob, JobType
from services.jobs.domain import (
    BRINGING,
    Job,
    JobEvent,
    JobEventKind,
    JobId,
    JobState,
    NewJob,
    QueueStats,
    Revision,
    new_job_id,
)
from services.jobs.ports.store import Selection

# More than that is written blob by blob.
_SMALL_BYTES: Final = 4 * 1024 * 1024

_CANCEL: Final[TextClause] = change(
    f"""
    FROM job_queue AS queue
    WHERE id = :id AND tenant = :tenant AND state <> '{JobState.CANCELLING}' FOR NO KEY UPDATE
    """,
    becomes=f"""
    CASE state WHEN '{JobState.PENDING}' THEN '{JobState.CANCELLED}'
    ELSE '{JobState.CANCELLING}' END
    """,
    kind=f"'{JobEventKind.CANCEL_REQUESTED}'",
    bell=f"'{CANCEL}'",
)


class PostgresJobStore:
    """Keeps jobs in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._creates: Batches[Creation, Job | None] = database.batches(
            self._create_all,
            key=lambda it: it.key,
            weigh=lambda it: it.weight,
            most_weight=_SMALL_BYTES,
        )

    async def create(self, new: NewJob) -> Job:
        """Keep a job, or return the first one of its request id."""
        with holdings.loss_told():
            job = await self._creates.put(Creation(new_job_id(), new))
        if job is not None:
            return job
        statement = _of_request(new.tenant, new.request_id)
        return job_from_row((await self._database.rows(statement))[0])

    async def known(self, tenant: str, request_id: str) -> Job | None:
        """Return the job of a request id, if there is one."""
        rows = await self._database.rows(_of_request(tenant, request_id))
        return job_from_row(rows[0]) if rows else None

    async def get(self, tenant: str, job_id: JobId) -> Job:
        """Return one job."""
        for row in await self._database.rows(_one(tenant, job_id)):
            return job_from_row(row)
        raise NotFound(
            f"there is no job {job_id}",
            remedy="list the jobs to see which there are",
            resource=Resource("job", str(job_id)),
        )

    async def list(self, tenant: str, selection: Selection) -> Sequence[Job]:
        """Return jobs, the newest first."""
        statement = (
            (SNAPSHOTS if selection.state is None else in_state(selection.state))
            .where(jobs.c.tenant == tenant)
            .order_by(jobs.c.create_time.desc(), jobs.c.id.desc())
            .offset(selection.skip)
            .limit(selection.limit)
        )
        if selection.type is not None:
            statement = statement.where(jobs.c.type == selection.type)
        if (after := selection.after) is not None:
            place = tuple_(jobs.c.create_time, jobs.c.id)
            statement = statement.where(place < (after.create_time, after.id))
        return [job_from_row(row) for row in await self._database.rows(statement)]

    async def retry(self, job: Job, revision: Revision) -> Job:
        """Send a job back to work."""
        given = {
            "id": job.id,
            "tenant": job.tenant,
            "end_time": job.end_time,
            "input": None if revision.input is None else record.dump_json(revision.input),
            "client_data": None
            if revision.client_data is None
            else json.dumps(revision.client_data),
            "webhook_url": revision.webhook.url if revision.webhook else None,
            "webhook_format": revision.webhook.format if revision.webhook else None,
            "keeps_steps": revision.keeps_steps,
        }
        async with AsyncExitStack() as stack:
            stack.enter_context(holdings.loss_told())
            connection = await stack.enter_async_context(self._database.transaction())
            if (await connection.execute(RETRY, given)).one_or_none() is not None:
                if not revision.keeps_steps:
                    await connection.execute(_forgotten(job.id, revision))
                if revision.blobs is not None:
                    await connection.execute(delete(job_blobs).where(job_blobs.c.job_id == job.id))
                    await _keep(connection, job.id, revision.blobs)
                    await holdings.replace(connection, job.id, revision.media)
                return job_from_row((await connection.execute(_one(job.tenant, job.id))).one())
        now = await self.get(job.tenant, job.id)
        if now.state.is_terminal:
            raise Conflict(f"job {job.id} has just changed", remedy="look at it and try again")
        raise Precondition(
            f"job {job.id} is {now.state}",
            remedy="wait for its end or cancel it first",
            code="JOB_NOT_ENDED",
            resource=Resource("job", str(job.id)),
        )

    async def cancel(self, tenant: str, job_id: JobId) -> Job:
        """Cancel a waiting job, or tell a running one's worker to."""
        given = {"id": job_id, "tenant": tenant}
        async with self._database.transaction() as connection:
            if (await connection.execute(_CANCEL, given)).one().ids:
                return job_from_row((await connection.execute(_one(tenant, job_id))).one())
        now = await self.get(tenant, job_id)
        if now.state in (JobState.COMPLETED, JobState.FAILED):
            raise Precondition(
                f"job {job_id} is {now.state} already",
                code="JOB_ENDED",
                resource=Resource("job", str(job_id)),
            )
        return now

    async def stats(self, tenant: str) -> QueueStats:
        """Count a tenant's jobs."""
        return stats_from_rows(await self._database.rows(STATS, {"tenant": tenant}))

    async def waiting(self) -> Mapping[tuple[str, JobType], int]:
        """Count the jobs that wait, by tenant and type."""
        rows = await self._database.rows(WAITING)
        return {(row.tenant, JobType(row.type)): row.jobs for row in rows}

    async def events(self, job: Job, *, after: int) -> Sequence[JobEvent]:
        """Return what had happened to the job when `job` was read, from `after` on."""
        statement = (
            select(job_events)
            .where(
                job_events.c.job_id == job.id,
                job_events.c.sequence > after,
                job_events.c.sequence <= job.last_sequence,
            )
            .order_by(job_events.c.sequence)
        )
        return events_from_rows(await self._database.rows(statement))

    def news(self, job_id: JobId) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings at each event of a job."""
        return self._database.bells.hung(str(job_id))

    async def check(self) -> None:
        """Return when jobs can be kept; raise `Unavailable` otherwise."""
        try:
            await self._database.rows(select(jobs.c.id).limit(0))
        except DBAPIError as failed:
            raise Unavailable(
                "the job database has no tables", remedy="run the migrations"
            ) from failed

    async def _create_all(self, creations: Sequence[Creation]) -> Sequence[Job | None]:
        if sum(it.weight for it in creations) <= _SMALL_BYTES:
            blobs = [(it.id, blob) for it in creations for blob in it.new.blobs]
            rows = await self._database.often(CREATES, columns(creations, blobs))
            times = {row.id: row for row in rows}
        else:
            async with self._database.transaction() as connection:
                created = await connection.execute(CREATES, columns(creations, ()))
                times = {row.id: row for row in created}
                for it in creations:
                    if it.id in times:
                        await _keep(connection, it.id, it.new.blobs)
        return [
            new_job(it.id, it.new, times[it.id]) if it.id in times else None for it in creations
        ]


def _forgotten(job_id: JobId, revision: Revision) -> Delete:
    steps = delete(job_steps).where(job_steps.c.job_id == job_id)
    if revision.blobs is not None:
        return steps
    # What was fetched stays, and so does what tells of it.
    return steps.where(*(~job_steps.c.key.startswith(it, autoescape=True) for it in BRINGING))


def _one(tenant: str, job_id: JobId) -> Select[Any]:
    return SNAPSHOTS.where(jobs.c.id == job_id, jobs.c.tenant == tenant)


def _of_request(tenant: str, request_id: str | None) -> Select[Any]:
    return SNAPSHOTS.where(jobs.c.tenant == tenant, jobs.c.request_id == request_id)


async def _keep(connection: AsyncConnection, job_id: JobId, blobs: Sequence[Blob]) -> None:
    # One after the other: together they may be as large as a request.
    for blob in blobs:
        values = {"job_id": job_id, "key": blob.key, "media_type": blob.media_type}
        await connection.execute(insert(job_blobs).values(**values, data=blob.data))
