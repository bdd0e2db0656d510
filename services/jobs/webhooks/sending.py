"""How one message is sent once: signed by its tenant's secrets."""

from services.chassis.clock import Clock
from services.jobs.webhooks.domain import Answer
from services.jobs.webhooks.ports import Receiver
from services.jobs.webhooks.signing import Signer
from services.jobs.webhooks.webhook import Webhook


class Sender:
    """Signs and sends."""

    def __init__(self, receiver: Receiver, signer: Signer, clock: Clock) -> None:
        self._receiver = receiver
        self._signer = signer
        self._clock = clock

    async def send(self, tenant: str, webhook: Webhook, message_id: str, body: bytes) -> Answer:
        """Send a message, of JSON, and return what came of it."""
        headers = self._signer.headers(tenant, message_id, body, self._clock.now())
        return await self._receiver.post(webhook.url, body, headers)
