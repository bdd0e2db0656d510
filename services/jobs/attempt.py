"""One job in a worker's hands: its pipeline run, and whatever comes of it written down."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind

from services.chassis import call
from services.chassis.errors import Conflict, MeshError, Unavailable
from services.jobs.content import Blob, JobOutput
from services.jobs.domain import Claim, Failure, JobError
from services.jobs.pipelines.registry import PIPELINES
from services.jobs.pipelines.steps import Steps
from services.jobs.pipelines.work import Peers, Work
from services.jobs.ports import JobQueue

_log = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 0.5


class Stop(Enum):
    """Why an attempt is stopped from outside."""

    LET_GO = auto()
    """The job is to be handed back: its worker stops, or a client cancelled it."""
    LOST = auto()
    """Another worker may hold it: nothing may be written any more."""


class Attempt:
    """Runs one claimed job once."""

    def __init__(
        self,
        queue: JobQueue,
        claim: Claim,
        peers: Peers,
        *,
        lease: timedelta,
        judge: Callable[[Exception, Claim], Failure | JobError],
    ) -> None:
        self.claim = claim
        self._queue = queue
        self._peers = peers
        self._lease = lease
        self._judge = judge
        self._stop: Stop | None = None
        self._working: asyncio.Task[JobOutput] | None = None

    def stop(self, why: Stop) -> None:
        """Stop the work, unless its end is being written already."""
        if self._stop is None:
            self._stop = why
            if self._working is not None:
                self._working.cancel()

    async def run(self) -> None:
        """Do the work and write its end; never raises but when cancelled."""
        try:
            await self._write(await self._outcome())
        except Conflict:
            _log.warning("lost a job", extra=self._told())
        except MeshError:
            # Nobody can be told now; the job comes back when its lease runs out.
            _log.exception("could not write the end of an attempt", extra=self._told())

    async def _outcome(self) -> JobOutput | JobError | Failure | Stop:
        self._working = asyncio.create_task(self._work())
        if self._stop is not None:
            self._working.cancel()
        try:
            await asyncio.wait([self._working])
        finally:
            self._working.cancel()
        if self._working.cancelled():
            return self._stop or Stop.LOST
        failed = self._working.exception()
        if failed is None:
            return self._working.result()
        if isinstance(failed, Conflict) and failed.code == "LEASE_LOST":
            return Stop.LOST
        if not isinstance(failed, MeshError):
            _log.error("an attempt failed", exc_info=failed, extra=self._told())
        return self._judge(failed, self.claim) if isinstance(failed, Exception) else Stop.LOST

    async def _work(self) -> JobOutput:
        job = self.claim.job
        created_by = propagate.extract({"traceparent": self.claim.trace})
        tracer = trace.get_tracer(__name__)
        with (
            call.use(call.Call(tenant=job.tenant, priority=call.Priority.JOB)),
            tracer.start_as_current_span(
                f"job {job.type}", context=created_by, kind=SpanKind.CONSUMER
            ),
        ):
            steps = Steps(self._queue, self.claim, await self._queue.steps(self.claim))
            work = Work(steps, self._peers, self._blob)
            return await PIPELINES[job.type](job.input, work)

    async def _blob(self, key: str) -> Blob:
        return await self._queue.blob(self.claim, key)

    async def _write(self, outcome: JobOutput | JobError | Failure | Stop) -> None:
        queue, claim = self._queue, self.claim
        match outcome:
            case Stop.LOST:
                _log.warning("lost a job", extra=self._told())
            case Stop.LET_GO:
                await self._insist(lambda: queue.release(claim))
            case JobError():
                _log.warning("a job failed", extra={**self._told(), "reason": outcome.reason})
                await self._insist(lambda: queue.fail(claim, outcome))
            case Failure():
                extra = {**self._told(), "reason": outcome.error.reason}
                _log.warning("a job is postponed", extra=extra)
                await self._insist(lambda: queue.postpone(claim, outcome))
            case _:
                await self._insist(lambda: queue.complete(claim, outcome))
                _log.info("completed a job", extra=self._told())

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(self._lease.total_seconds()):
                while True:
                    try:
                        return await write()
                    except Unavailable:
                        await asyncio.sleep(_AGAIN_SECONDS)
        except TimeoutError:
            raise Unavailable("the job store was down for longer than the lease") from None

    def _told(self) -> dict[str, str | int]:
        job = self.claim.job
        return {"job_id": str(job.id), "job_type": job.type.value, "attempt": job.attempt}
