"""What the jobs room needs of the world: somebody who keeps jobs, and the other rooms."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from services.jobs.bells import Bell
from services.jobs.content import Blob, JobOutput, JobType, Risk, Transcript
from services.jobs.domain import (
    Claim,
    Failure,
    Job,
    JobError,
    JobEvent,
    JobId,
    JobState,
    Json,
    NewJob,
    Progress,
    QueueStats,
    Revision,
)


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

        Raises `Precondition` while it is not at an end, and `Conflict` when it has changed since
        `job` was read.
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


class JobQueue(Protocol):
    """Hands jobs out to workers and takes their results.

    Every method is atomic. Every write names its claim and changes nothing once another worker may
    hold the job: it raises `Conflict` then. A job that was asked to stop ends cancelled, whatever
    its worker writes last. Raises `Unavailable` when the store cannot answer.
    """

    async def claim(self, worker: str, *, limit: int, lease: timedelta) -> Sequence[Claim]:
        """Take up jobs, at most `limit`: the most urgent ones, and of those the longest due.

        Of a type that has a limit no more are taken than all workers together may hold.
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


@dataclass(frozen=True)
class Sight:
    """A picture looked at for risks."""

    text: str = field(repr=False)
    risks: tuple[Risk, ...] | None
    """None: the model cannot tell."""


@dataclass(frozen=True)
class Frame:
    """One picture of a video."""

    data: bytes = field(repr=False)
    """As JPEG."""
    seconds: float
    """Since the beginning of the video."""


@dataclass(frozen=True)
class Sampled:
    """What was taken out of a video."""

    frames: Sequence[Frame]
    """At least one, in order."""
    duration_seconds: float


class Film(Protocol):
    """Takes frames out of videos."""

    async def sample(self, video: Blob, *, frames_per_second: float, most_frames: int) -> Sampled:
        """Take so many frames of each second, or at most so many spread evenly.

        Raises `InvalidInput` for what is no video.
        """
        ...


class Vision(Protocol):
    """Sees."""

    async def describe(self, picture: Blob, prompt: str) -> str:
        """Describe a picture. An empty prompt asks for a plain description."""
        ...

    async def analyze(self, picture: Blob, prompt: str) -> Sight:
        """Describe a picture, and tell the risks in it where the model can."""
        ...


class Reasoning(Protocol):
    """Reasons."""

    async def write(self, turns: Sequence[tuple[str, str]], *, most_tokens: int) -> str:
        """Answer turns of (role, text) in words, at most so many tokens of them."""
        ...

    async def extract(
        self, turns: Sequence[tuple[str, str]], schema: Mapping[str, Json]
    ) -> Mapping[str, Json]:
        """Answer turns of (role, text) with a JSON object that fits the schema.

        The roles are `system`, `user` and `assistant`.
        """
        ...


class Audio(Protocol):
    """Hears."""

    async def transcribe(self, recording: Blob, language: str) -> Transcript:
        """Transcribe a recording. An empty language is to be found out."""
        ...
