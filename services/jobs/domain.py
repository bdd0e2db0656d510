"""A job and its life. It knows neither who keeps it nor what its kind of work is about. It is long
because its states, events and ends mean nothing without each other.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NewType
from uuid import UUID

from services.jobs.content import Blob, Holding, JobInput, JobOutput, JobType
from services.jobs.webhooks.webhook import Webhook

JobId = NewType("JobId", UUID)
Json = Any
"""A value that JSON can hold."""
ClientData = Mapping[str, Json]

_V7: Final = 7 << 76 | 2 << 62
_V7_CHANCE: Final = 0xFFF << 64 | (1 << 62) - 1


def new_job_id() -> JobId:
    """Make an id, a UUID of version 7: the newer, the greater, so that an index stays in order."""
    milliseconds = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10))
    return JobId(UUID(int=_V7 | milliseconds << 80 | chance & _V7_CHANCE))


class JobState(StrEnum):
    """Where a job is in its life: pending, running, then one of three ends."""

    PENDING = "pending"
    """Waits for a worker.

    In: created, retried, handed back by a worker that was stopped or met a passing error, or taken
    from a worker whose lease ran out. Out: claimed by a worker, or cancelled at once.
    """
    RUNNING = "running"
    """Held by a worker under a lease and a token.

    In: claimed. Out: by its worker, which names its token, to every other state but cancelling; by
    a client to cancelling; by any worker that finds the lease run out, to pending, or to failed
    after the last attempt.
    """
    CANCELLING = "cancelling"
    """Held by a worker that has been told to stop.

    In: a client cancels it while it runs. Out: cancelled, whatever its worker writes last, or when
    the lease runs out.
    """
    COMPLETED = "completed"
    """Done, with its output. Out: retried by a client."""
    FAILED = "failed"
    """Given up, with its error. Out: retried by a client."""
    CANCELLED = "cancelled"
    """Stopped by request. Out: retried by a client."""

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen unless a client retries."""
        return self in _TERMINAL


_TERMINAL: Final = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})


class JobEventKind(StrEnum):
    """What can happen to a job."""

    CREATED = "created"
    """It was accepted."""
    CLAIMED = "claimed"
    """A worker took it up."""
    STEP_COMPLETED = "step_completed"
    """One of its steps is done and recorded."""
    LEASE_EXPIRED = "lease_expired"
    """Its worker died or froze; it waits for another."""
    ATTEMPT_FAILED = "attempt_failed"
    """An attempt met an error that may pass; it waits for another."""
    RETRIED = "retried"
    """A client sent it back to work."""
    CANCEL_REQUESTED = "cancel_requested"
    """A client asked to stop it while a worker held it."""
    COMPLETED = "completed"
    """It was completed."""
    FAILED = "failed"
    """It was given up."""
    CANCELLED = "cancelled"
    """It was cancelled."""
    RELEASED = "released"
    """Its worker was stopped in good order and handed it back."""
    WEBHOOK_DELIVERED = "webhook_delivered"
    """Its webhook arrived; nothing else of the job changes."""
    WEBHOOK_DEAD = "webhook_dead"
    """Its webhook was given up; nothing else of the job changes."""


@dataclass(frozen=True)
class Progress:
    """How far a job's work is."""

    done_steps: int = 0
    total_steps: int = 0
    """Zero: not known yet."""
    current_step: str = ""
    """The first step that is not done. Empty: none."""


@dataclass(frozen=True)
class JobError:
    """Why a job failed, or why its last attempt did."""

    reason: str
    """A stable name for the cause."""
    message: str
    retryable: bool


@dataclass(frozen=True)
class Job:
    """A piece of work and everything known of it."""

    id: JobId
    tenant: str
    type: JobType
    state: JobState
    create_time: datetime
    update_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    attempt: int
    """How often a worker has taken it up since it was created or last retried."""
    progress: Progress
    input: JobInput
    output: JobOutput | None
    error: JobError | None
    client_data: ClientData | None = field(repr=False)
    last_sequence: int
    """The sequence of its newest event: which version of the job this is."""
    priority: int = 0
    """The greater, the sooner it is taken up among those that wait."""
    run_after: datetime | None = None
    """Not to be taken up before. None: at once."""
    webhook: Webhook | None = None
    """None: nobody is told of its end."""


BRINGING: Final = ("fetch/", "list-domain", "fetch-domain/")
"""So begin the keys of steps that bring media: they are kept for as long as it is."""


@dataclass(frozen=True)
class NewJob:
    """A job to accept."""

    tenant: str
    type: JobType
    input: JobInput
    blobs: tuple[Blob, ...]
    client_data: ClientData | None = field(default=None, repr=False)
    request_id: str | None = None
    """The client's own key, unique within the tenant."""
    trace: str = ""
    """The W3C traceparent of the call that creates it. Empty: none."""
    priority: int = 0
    """From -100 to 100: the greater, the sooner it is taken up."""
    run_after: datetime | None = None
    """Not to be taken up before. None: at once."""
    webhook: Webhook | None = None
    media: tuple[Holding, ...] = ()
    """What the input refers to."""


@dataclass(frozen=True)
class QueueStats:
    """How much work there is."""

    pending: int
    running: int
    """Those that are being cancelled among them: a worker holds them still."""
    longest_due: timedelta | None = None
    """How long ago the first of those that wait became due. None: none is due."""
    counts: Mapping[tuple[JobType, JobState], int] = field(default_factory=dict)
    """All jobs that are kept."""


@dataclass(frozen=True)
class Revision:
    """What a retry changes of a job."""

    input: JobInput | None = None
    """None: the input stays, and so do its bytes."""
    blobs: tuple[Blob, ...] | None = None
    """The bytes of a new input. None: the bytes stay, and so does what was fetched."""
    media: tuple[Holding, ...] = ()
    """What a new input refers to."""
    client_data: ClientData | None = field(default=None, repr=False)
    """None: it stays."""
    webhook: Webhook | None = None
    """None: it stays. With an empty address: nobody is told."""
    keeps_steps: bool = True
    """Whether the work goes on where it stopped, or starts afresh."""


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job; never changed afterwards."""

    sequence: int
    """From 1, without gaps."""
    time: datetime
    """By the clock of the store."""
    kind: JobEventKind
    step: str
    text: str = field(repr=False)
    progress: Progress


@dataclass(frozen=True)
class Claim:
    """A job in a worker's hands, until the lease runs out or the worker lets go: what the work on
    it takes, and no more, for each is read from the store.
    """

    id: JobId
    tenant: str
    type: JobType
    input: JobInput
    attempt: int
    """How often a worker has taken it up since it was created or last retried."""
    token: int
    """Fences the worker's writes: each claim of a job has a higher one, and only the newest counts.
    """
    attempts_left: int
    """How many more attempts may go wrong after this one."""
    waiting_since: datetime
    """When the job was created or last retried."""
    trace: str
    """The W3C traceparent of the call that created the job. Empty: none."""


@dataclass(frozen=True)
class Failure:
    """An attempt that went wrong and is to be followed by another."""

    error: JobError
    delay: timedelta
    """How long the job waits before it may be claimed again."""
    counts: bool
    """Whether it uses up one of the job's attempts."""
