"""What workers need of whoever hands out jobs."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Protocol

from services.jobs.bells import Bell
from services.jobs.content import Blob, JobOutput, JobType
from services.jobs.domain import Claim, Failure, JobError, JobId, JobState, Json, Progress

NO_BOUNDS: Final[Mapping[JobType, int]] = MappingProxyType({})


class JobQueue(Protocol):
    """Hands jobs out to workers and takes their results.

    Every method is atomic. Every write names its claim and changes nothing once another worker may
    hold the job: it raises `Conflict` then. A job that was asked to stop ends cancelled, whatever
    its worker writes last. Raises `Unavailable` when the store cannot answer.
    """

    async def claim(
        self,
        worker: str,
        *,
        limit: int,
        lease: timedelta,
        most: Mapping[JobType, int] = NO_BOUNDS,
    ) -> Sequence[Claim]:
        """Take up jobs, at most `limit`: the most urgent ones, and of those the longest due.

        Of a type that has a limit no more are taken than all workers together may hold, and of
        those in `most` no more than it says.
        """
        ...

    async def heartbeat(
        self, claims: Collection[Claim], *, lease: timedelta
    ) -> Mapping[JobId, JobState]:
        """Renew leases. Returns the states of the jobs still held; the others are lost."""
        ...

    async def reclaim(self) -> int:
        """Take jobs from workers whose lease ran out, and tell how many.

        They wait for another worker, or fail when their attempts are used up.
        """
        ...

    async def forget(self, age: timedelta) -> int:
        """Delete jobs that ended longer ago, with all that belongs to them, and tell how many.

        A job stays while its webhook is to be sent. Zero: there are no more. Any number of workers
        may do so at once.
        """
        ...

    async def steps(self, claim: Claim) -> Mapping[str, Json]:
        """Return the results of all recorded steps."""
        ...

    async def blob(self, claim: Claim, key: str) -> Blob:
        """Return the bytes of a picture or a recording."""
        ...

    async def keep_blob(self, claim: Claim, blob: Blob) -> None:
        """Keep bytes that came of the work, in place of any under the same key."""
        ...

    async def record_step(
        self, claim: Claim, key: str, result: Json, *, text: str, progress: Progress
    ) -> None:
        """Record the result of a step once and for all, with an event that says `text`."""
        ...

    async def report(self, claim: Claim, progress: Progress) -> None:
        """Tell how far the work is; no event comes of it."""
        ...

    async def complete(self, claim: Claim, output: JobOutput) -> None:
        """End a job with its output."""
        ...

    async def fail(self, claim: Claim, error: JobError) -> None:
        """End a job with an error."""
        ...

    async def postpone(self, claim: Claim, failure: Failure) -> None:
        """Let a job wait for another attempt."""
        ...

    async def release(self, claim: Claim) -> None:
        """Hand a job back as if this attempt had not been; its recorded steps stay."""
        ...

    def work(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when a job may be claimed."""
        ...

    def cancels(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when a running job is asked to stop."""
        ...
