"""One job in a worker's hands: its pipeline run, and whatever comes of it written down."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from services.chassis import call, telemetry
from services.chassis.errors import Conflict, MeshError, Unavailable
from services.jobs.content import HELD, Blob, JobOutput
from services.jobs.domain import Claim, Failure, JobError
from services.jobs.gathering import Gatherer
from services.jobs.pipelines.registry import PIPELINES
from services.jobs.pipelines.steps import Steps
from services.jobs.pipelines.work import Peers, Work
from services.jobs.ports.queue import JobQueue

_log = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 0.5


class Stop(Enum):
    """Why an attempt is stopped from outside."""

    LET_GO = auto()
    """The job is to be handed back: its worker stops, or a client cancelled it."""
    LOST = auto()
    """Another worker may hold it: nothing may be written any more."""


Outcome = JobOutput | JobError | Failure | Stop
"""What comes of an attempt: done, given up, to be tried again, or stopped."""
UNDONE: Final = (JobError, Failure, Stop)
"""Those that are no output."""


class Attempt:
    """Runs one claimed job once."""

    def __init__(
        self,
        queue: JobQueue,
        claim: Claim,
        peers: Peers,
        gatherer: Gatherer,
        *,
        lease: timedelta,
        judge: Callable[[Exception, Claim], Failure | JobError],
    ) -> None:
        self.claim = claim
        self._queue = queue
        self._peers = peers
        self._gatherer = gatherer
        self._lease_seconds = lease.total_seconds()
        self._judge = judge
        self._stop: Stop | None = None
        self._working: asyncio.Task[object] | None = None

    def stop(self, why: Stop) -> None:
        """Stop the work, unless its end is being written already."""
        if self._stop is None:
            self._stop = why
            if self._working is not None:
                self._working.cancel()

    async def work(self) -> Outcome:
        """Do the work; never raises but when the task that it runs in is cancelled."""
        if self._stop is not None:
            return self._stop
        self._working = task = asyncio.current_task()
        try:
            return await self._work()
        except asyncio.CancelledError:
            if self._stop is None and task is not None and task.cancelling():
                raise
            return self._stop or Stop.LOST
        except Exception as failed:
            if isinstance(failed, Conflict) and failed.code == "LEASE_LOST":
                return Stop.LOST
            if not isinstance(failed, MeshError):
                _log.exception("an attempt failed", extra=self._told())
            return self._judge(failed, self.claim)
        finally:
            self._working = None
            if self._stop is not None and task is not None:
                task.uncancel()

    async def end(self, outcome: Outcome) -> None:
        """Write down what came of the work; never raises but when cancelled."""
        try:
            await self._write(outcome)
        except Conflict:
            _log.warning("lost a job", extra=self._told())
        except MeshError:
            # Nobody can be told now; the job comes back when its lease runs out.
            _log.exception("could not write the end of an attempt", extra=self._told())

    async def _work(self) -> JobOutput:
        claim = self.claim
        with (
            call.use(call.Call(tenant=claim.tenant, priority=call.Priority.JOB)),
            telemetry.consuming(f"job {claim.type}", created_by=claim.trace),
        ):
            steps = Steps(self._queue, claim, await self._queue.steps(claim))
            work = Work(steps, self._peers, self._blob, self._stream, self._keep)
            output = await PIPELINES[claim.type](await self._gatherer.gather(claim, steps), work)
            await self._gatherer.deliver(claim, steps, output)
            return output

    async def _blob(self, key: str) -> Blob:
        if key.startswith(HELD):
            return await self._gatherer.blob(self.claim, key)
        return await self._queue.blob(self.claim, key)

    async def _stream(self, key: str) -> AsyncGenerator[bytes, None]:
        if key.startswith(HELD):
            async with aclosing(self._gatherer.stream(self.claim, key)) as pieces:
                async for piece in pieces:
                    yield piece
        else:
            yield (await self._queue.blob(self.claim, key)).data

    async def _keep(self, blob: Blob) -> None:
        await self._queue.keep_blob(self.claim, blob)

    async def _write(self, outcome: Outcome) -> None:
        queue, claim = self._queue, self.claim
        match outcome:
            case Stop():
                if outcome is Stop.LOST:
                    _log.warning("lost a job", extra=self._told())
                else:
                    await self._insist(queue.release, claim)
            case JobError():
                _log.warning("a job failed", extra={**self._told(), "reason": outcome.reason})
                await self._insist(queue.fail, claim, outcome)
            case Failure():
                extra = {**self._told(), "reason": outcome.error.reason}
                _log.warning("a job is postponed", extra=extra)
                await self._insist(queue.postpone, claim, outcome)
            case _:
                await self._insist(queue.complete, claim, outcome)
                if _log.isEnabledFor(logging.INFO):
                    _log.info("completed a job", extra=self._told())

    async def _insist(self, write: Callable[..., Awaitable[None]], *said: object) -> None:
        until = time.monotonic() + self._lease_seconds
        while True:
            try:
                return await write(*said)
            except Unavailable:
                if time.monotonic() >= until:
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)

    def _told(self) -> dict[str, str | int]:
        claim = self.claim
        return {"job_id": str(claim.id), "job_type": claim.type.value, "attempt": claim.attempt}
