"""What the jobs room tells clients of their webhooks. It knows neither the contract nor who keeps
the deliveries; each caller sees its tenant's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from services.chassis import call
from services.jobs import pages
from services.jobs.domain import JobId
from services.jobs.ports.store import Place
from services.jobs.webhooks.domain import (
    Answer,
    Delivery,
    DeliveryId,
    DeliveryState,
    not_found,
)
from services.jobs.webhooks.policy import Policy
from services.jobs.webhooks.ports import DeliverySelection, DeliveryStore
from services.jobs.webhooks.sending import Sender
from services.jobs.webhooks.signing import Signer
from services.jobs.webhooks.webhook import Webhook

_PAGE: Final = 50


@dataclass(frozen=True)
class DeliveryPage:
    """A part of the list of deliveries."""

    deliveries: Sequence[Delivery]
    next_token: str
    """Where the next page begins. Empty: this was the last."""


class Webhooks:
    """Tells of deliveries, sends them again, and helps to set receivers up."""

    def __init__(
        self, store: DeliveryStore, sender: Sender, signer: Signer, policy: Policy
    ) -> None:
        self._store = store
        self._sender = sender
        self._signer = signer
        self._policy = policy

    async def list(
        self, *, size: int, token: str, job_id: JobId | None, state: DeliveryState | None
    ) -> DeliveryPage:
        """Tell of many deliveries, the newest first."""
        size = size or _PAGE
        after = pages.place_from_token(token) if token else None
        selection = DeliverySelection(size + 1, after, job_id, state)
        found = await self._store.list(call.current().tenant, selection)
        if len(found) <= size:
            return DeliveryPage(found, "")
        last = found[size - 1]
        return DeliveryPage(
            found[:size], pages.token_after(Place(last.create_time, last.id.job_id))
        )

    async def get(self, delivery_id: str) -> Delivery:
        """Tell of one delivery."""
        return await self._store.get(call.current().tenant, _known(delivery_id))

    async def replay(self, delivery_id: str) -> Delivery:
        """Send a delivery again, under the id that it has."""
        return await self._store.replay(call.current().tenant, _known(delivery_id))

    async def test(self, webhook: Webhook, body: bytes) -> Answer:
        """Send a test message once and now."""
        accepted = self._policy.accept(webhook)
        message_id = f"msg_test_{uuid4().hex}"
        return await self._sender.send(call.current().tenant, accepted, message_id, body)

    def secrets(self) -> Sequence[str]:
        """Tell by which secrets the caller's webhooks are signed, the newest first."""
        return self._signer.secrets(call.current().tenant)


def _known(text: str) -> DeliveryId:
    delivery_id = DeliveryId.parse(text)
    if delivery_id is None:
        raise not_found(text)
    return delivery_id
