"""What the jobs room needs of whoever keeps jobs for clients."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.jobs.bells import Bell
from services.jobs.content import JobType
from services.jobs.domain import Job, JobEvent, JobId, JobState, NewJob, QueueStats, Revision


@dataclass(frozen=True)
class Place:
    """A place in the list of jobs: after this one."""

    create_time: datetime
    id: JobId


@dataclass(frozen=True)
class Selection:
    """Which jobs to list."""

    limit: int
    after: Place | None = None
    skip: int = 0
    type: JobType | None = None
    """None: of every type."""
    state: JobState | None = None
    """None: in every state."""


class JobStore(Protocol):
    """Keeps jobs for clients, each of whom sees one tenant's.

    Every method is atomic. Raises `NotFound` for a job that is not the tenant's, and `Unavailable`
    when the store cannot answer.
    """

    async def create(self, new: NewJob) -> Job:
        """Keep a job, or return the first one of its request id."""
        ...

    async def known(self, tenant: str, request_id: str) -> Job | None:
        """Return the job of a request id, if there is one."""
        ...

    async def get(self, tenant: str, job_id: JobId) -> Job:
        """Return one job."""
        ...

    async def list(self, tenant: str, selection: Selection) -> Sequence[Job]:
        """Return jobs, the newest first."""
        ...

    async def retry(self, job: Job, revision: Revision) -> Job:
        """Send a job back to work.

        Raises `Precondition` while it is not at an end, and `Conflict` when it is not at the end
        that `job` tells of.
        """
        ...

    async def cancel(self, tenant: str, job_id: JobId) -> Job:
        """Cancel a waiting job, or tell a running one's worker to.

        Changes nothing where that was done already. Raises `Precondition` when the job is completed
        or failed.
        """
        ...

    async def stats(self, tenant: str) -> QueueStats:
        """Count a tenant's jobs."""
        ...

    async def waiting(self) -> Mapping[tuple[str, JobType], int]:
        """Count the jobs that wait, by tenant and type."""
        ...

    async def events(self, job: Job, *, after: int) -> Sequence[JobEvent]:
        """Return what had happened to the job when `job` was read, from `after` on."""
        ...

    def news(self, job_id: JobId) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings at each event of a job."""
        ...

    async def check(self) -> None:
        """Return when jobs can be kept; raise `Unavailable` otherwise."""
        ...
