"""Jobs for workers: handed out under a lease and a token, and their results taken."""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select

from services.chassis.errors import Conflict, Internal
from services.jobs import record
from services.jobs.adapters.postgres import arrays, upkeep
from services.jobs.adapters.postgres.batches import Batches
from services.jobs.adapters.postgres.changes import CANCEL, WORK
from services.jobs.adapters.postgres.claims import CLAIMS, LIMITED_CLAIMS, TURN
from services.jobs.adapters.postgres.database import Database
from services.jobs.adapters.postgres.leases import HEARTBEAT, RECLAIM
from services.jobs.adapters.postgres.rows import claim_from_row
from services.jobs.adapters.postgres.tables import job_blobs, job_steps
from services.jobs.adapters.postgres.writes import KEEP_BLOB, WRITES, Write, columns, write
from services.jobs.bells import Bell
from services.jobs.content import Blob, JobOutput, JobType
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
from services.jobs.ports.queue import NO_BOUNDS

FIRST_TOKEN: Final = 2
"""That of a job which no worker has held before: it can have no recorded steps."""

_ANY: Final = 1_000_000
"""More of a type than anybody takes."""


class PostgresJobQueue:
    """Hands jobs out of PostgreSQL."""

    def __init__(
        self, database: Database, *, type_limits: Mapping[JobType, int] | None = None
    ) -> None:
        """`type_limits` says how many jobs of a type all workers together may hold."""
        self._database = database
        self._limits = type_limits or {}
        self._writes: Batches[Write, bool] = database.batches(self._write_all, key=lambda it: it.id)

    async def claim(
        self,
        worker: str,
        *,
        limit: int,
        lease: timedelta,
        most: Mapping[JobType, int] = NO_BOUNDS,
    ) -> Sequence[Claim]:
        """Take up jobs, at most `limit`: the most urgent ones, and of those the longest due."""
        given = {"worker": worker, "limit": limit, "lease": lease}
        bounded = list({*self._limits, *most})
        if not bounded:
            rows: Sequence[Any] = await self._database.often(CLAIMS, given)
        else:
            given["limited"] = arrays.texts(bounded)
            given["most"] = arrays.numbers([self._limits.get(it, _ANY) for it in bounded])
            given["now"] = arrays.numbers([most.get(it, _ANY) for it in bounded])
            async with self._database.transaction() as connection:
                if self._limits:
                    # In turn, for each is to see what the others hold.
                    await connection.execute(TURN)
                rows = (await connection.execute(LIMITED_CLAIMS, given)).all()
        return [claim_from_row(row) for row in rows]

    async def heartbeat(
        self, claims: Collection[Claim], *, lease: timedelta
    ) -> Mapping[JobId, JobState]:
        """Renew leases. Returns the states of the jobs still held; the others are lost."""
        ordered = sorted(claims, key=lambda claim: claim.id.int)
        given = {
            "id": arrays.ids([claim.id for claim in ordered]),
            "token": arrays.numbers([claim.token for claim in ordered]),
            "lease": lease,
        }
        rows = await self._database.rows(HEARTBEAT, given)
        return {JobId(row.id): JobState(row.state) for row in rows}

    async def reclaim(self) -> int:
        """Take jobs from workers whose lease ran out, and tell how many."""
        [row] = await self._database.rows(RECLAIM)
        return len(row.ids or ())

    async def forget(self, age: timedelta) -> int:
        """Delete jobs that ended longer ago, with all that belongs to them, and tell how many."""
        given = {"before": upkeep.before(age), "age": age}
        [row] = await self._database.rows(upkeep.FORGET, given)
        return int(row.jobs)

    async def add_up(self) -> int:
        """Add up what counts the jobs at an end; there is no more to do after it."""
        await self._database.rows(upkeep.ADD_UP)
        return 0

    async def steps(self, claim: Claim) -> Mapping[str, Json]:
        """Return the results of all recorded steps."""
        if claim.token == FIRST_TOKEN:
            return {}
        statement = select(job_steps).where(job_steps.c.job_id == claim.id)
        return {row.key: row.result for row in await self._database.rows(statement)}

    async def blob(self, claim: Claim, key: str) -> Blob:
        """Return the bytes of a picture or a recording."""
        statement = select(job_blobs).where(job_blobs.c.job_id == claim.id, job_blobs.c.key == key)
        for row in await self._database.rows(statement):
            return Blob(row.key, row.media_type, row.data)
        raise Internal(f"job {claim.id} has lost the bytes of {key}")

    async def keep_blob(self, claim: Claim, blob: Blob) -> None:
        """Keep bytes that came of the work, in place of any under the same key."""
        given = {"job_id": claim.id, "token": claim.token, "key": blob.key}
        kept = {"media_type": blob.media_type, "data": blob.data}
        if not await self._database.rows(KEEP_BLOB, given | kept):
            raise _lost(claim.id)

    async def record_step(
        self, claim: Claim, key: str, result: Json, *, text: str, progress: Progress
    ) -> None:
        """Record the result of a step once and for all, with an event that says `text`."""
        kind, written = JobEventKind.STEP_COMPLETED, json.dumps(result)
        await self._put(write(claim, kind, step=key, result=written, text=text, progress=progress))

    async def report(self, claim: Claim, progress: Progress) -> None:
        """Tell how far the work is; no event comes of it."""
        await self._put(write(claim, None, progress=progress))

    async def complete(self, claim: Claim, output: JobOutput) -> None:
        """End a job with its output."""
        kind, state = JobEventKind.COMPLETED, JobState.COMPLETED
        written = record.dump_json(output)
        bell = self._bell(claim)
        await self._put(write(claim, kind, state=state, output=written, current_step="", bell=bell))

    async def fail(self, claim: Claim, error: JobError) -> None:
        """End a job with an error."""
        kind, state = JobEventKind.FAILED, JobState.FAILED
        written = record.dump_json(error)
        text, bell = error.message, self._bell(claim)
        await self._put(write(claim, kind, state=state, error=written, text=text, bell=bell))

    async def postpone(self, claim: Claim, failure: Failure) -> None:
        """Let a job wait for another attempt."""
        await self._put(
            write(
                claim,
                JobEventKind.ATTEMPT_FAILED,
                state=JobState.PENDING,
                error=record.dump_json(failure.error),
                text=failure.error.message,
                delay=failure.delay,
                charged_back=0 if failure.counts else 1,
                bell=self._bell(claim),
            )
        )

    async def release(self, claim: Claim) -> None:
        """Hand a job back as if this attempt had not been; its recorded steps stay."""
        await self._put(
            write(
                claim,
                JobEventKind.RELEASED,
                state=JobState.PENDING,
                delay=timedelta(),
                attempts_back=1,
                charged_back=1,
                bell=WORK,
            )
        )

    def work(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when a job may be claimed."""
        return self._database.bells.hung(WORK)

    def cancels(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when a running job is asked to stop."""
        return self._database.bells.hung(CANCEL)

    def _bell(self, claim: Claim) -> str | None:
        # Others of its type may be claimed now, by any worker.
        return WORK if claim.type in self._limits else None

    async def _put(self, written: Write) -> None:
        if not await self._writes.put(written):
            raise _lost(written.id)

    async def _write_all(self, writes: Sequence[Write]) -> Sequence[bool]:
        [row] = await self._database.often(WRITES, columns(writes))
        if row.ids is None:
            return [True] * len(writes)
        held = set(row.ids)
        return [it.id in held for it in writes]


def _lost(job_id: JobId) -> Conflict:
    return Conflict(f"the lease of job {job_id} is lost", code="LEASE_LOST")
