"""What webhooks need of the world: somebody who keeps messages, and a way to receivers."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from services.jobs.bells import Bell
from services.jobs.domain import JobId
from services.jobs.ports.store import Place
from services.jobs.webhooks.domain import (
    Answer,
    Delivery,
    DeliveryId,
    DeliveryState,
    Outcome,
    Shipment,
)


@dataclass(frozen=True)
class DeliverySelection:
    """Which deliveries to list."""

    limit: int
    after: Place | None = None
    job_id: JobId | None = None
    """None: of every job."""
    state: DeliveryState | None = None
    """None: in every state."""


class DeliveryStore(Protocol):
    """Tells of deliveries to clients, each of whom sees one tenant's.

    Raises `NotFound` for a delivery that is not the tenant's, and `Unavailable` when the store
    cannot answer.
    """

    async def list(self, tenant: str, selection: DeliverySelection) -> Sequence[Delivery]:
        """Return deliveries, the newest first."""
        ...

    async def get(self, tenant: str, delivery_id: DeliveryId) -> Delivery:
        """Return one delivery."""
        ...

    async def replay(self, tenant: str, delivery_id: DeliveryId) -> Delivery:
        """Let a delivery be sent at once, and again as often as a new one."""
        ...


class Outbox(Protocol):
    """Hands deliveries out to workers. Raises `Unavailable` when the store cannot answer."""

    async def claim(
        self, *, limit: int, per_host: int, busy: Mapping[str, int], lease: timedelta
    ) -> Sequence[Shipment]:
        """Take up deliveries that are due, at most `limit`, and of each host at most `per_host`
        together with those that are `busy` already. They are due again when the lease runs out.
        """
        ...

    async def settle(self, shipment: Shipment, outcome: Outcome) -> None:
        """Write what became of a delivery, and tell its job's events where that is final.

        Raises `Conflict`, and changes nothing, once another worker may hold it.
        """
        ...

    async def oldest_age(self) -> timedelta:
        """Return how long the oldest of those that are to be sent has been waiting."""
        ...

    def due(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when a delivery may be claimed."""
        ...


class Receiver(Protocol):
    """The way to those who are to be told."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a JSON message once. What goes wrong is an answer too."""
        ...
