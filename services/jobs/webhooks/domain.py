"""A message about a job's end and what became of it. It knows neither who keeps it nor how it is
sent.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from services.chassis.errors import NotFound, Resource
from services.jobs.domain import Job, JobId, JobState
from services.jobs.webhooks.webhook import Webhook

_ID: Final = re.compile(r"msg_([0-9a-f]{32})_([1-9][0-9]{0,8})")


@dataclass(frozen=True)
class DeliveryId:
    """Which end of which job a delivery tells of, and so the same however often it is sent."""

    job_id: JobId
    sequence: int
    """That of the job's event that says how it ended."""

    def __str__(self) -> str:
        """What receivers know it by."""
        return f"msg_{self.job_id.hex}_{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` wrote; None for anything else."""
        found = _ID.fullmatch(text)
        return found and cls(JobId(UUID(found[1])), int(found[2]))


def not_found(delivery_id: object) -> NotFound:
    """The error of a delivery that there is not, or not for this caller."""
    return NotFound(
        f"there is no delivery {delivery_id}",
        remedy="list the deliveries to see which there are",
        resource=Resource("webhook delivery", str(delivery_id)),
    )


class DeliveryState(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    """Is to be sent. In: the job ended, or a client replays it."""
    DELIVERED = "delivered"
    """Its receiver answered with success. Out: replayed."""
    DEAD = "dead"
    """Was sent as often as it is worth, or is not wanted any more. Out: replayed."""


@dataclass(frozen=True)
class Delivery:
    """A message about a job's end."""

    id: DeliveryId
    tenant: str
    job_state: JobState
    """The state in which the job ended."""
    webhook: Webhook
    state: DeliveryState
    attempts: int
    """How often a worker has taken it up. Fences what a worker writes of it."""
    create_time: datetime
    """When the job ended."""
    last_attempt_time: datetime | None
    next_attempt_time: datetime | None
    """When it may be taken up. None: it is not to be sent."""
    last_status: int
    """The HTTP status of the last answer. Zero: there was none."""
    last_problem: str = field(repr=False)


@dataclass(frozen=True)
class Shipment:
    """A delivery in a worker's hands, until its lease runs out or it is settled."""

    delivery: Delivery
    job: Job
    """The job as it was at that end."""
    tries: int
    """How often it has been taken up since the end or the last replay, this time included."""
    host: str
    """Whom it goes to, as host or host:port."""


@dataclass(frozen=True)
class Answer:
    """What a receiver said to a message."""

    status: int
    """The HTTP status. Zero: there was no answer."""
    problem: str = field(default="", repr=False)
    """What went wrong, for people. Empty: nothing."""
    retry_after: timedelta | None = None
    """How long it wants to be left alone. None: it did not say."""

    @property
    def is_success(self) -> bool:
        """Whether the message has arrived."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Outcome:
    """What an attempt makes of a delivery."""

    state: DeliveryState
    answer: Answer
    delay: timedelta = timedelta()
    """How long a pending one waits for the next attempt."""
