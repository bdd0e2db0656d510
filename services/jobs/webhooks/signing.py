"""How a receiver knows that a message is ours: signatures after Standard Webhooks.

Each tenant has secrets of its own, derived from the mesh's keys, so that none is kept anywhere and
no tenant can sign for another.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from standardwebhooks import Webhook as Standard

_PURPOSE: Final = b"sensorium webhook secret of tenant "


class Signer:
    """Signs messages by every key, the newest first, so that keys can be changed without a gap."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def secrets(self, tenant: str) -> Sequence[str]:
        """The secrets of a tenant, as receivers need them."""
        return [f"whsec_{base64.b64encode(it).decode()}" for it in self._of(tenant)]

    def headers(
        self, tenant: str, message_id: str, body: bytes, now: datetime
    ) -> Mapping[str, str]:
        """The headers that go with a message. `now` is in UTC."""
        text = body.decode()
        signed = (Standard(it).sign(message_id, now, text) for it in self._of(tenant))
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signed),
        }

    def _of(self, tenant: str) -> Sequence[bytes]:
        told = _PURPOSE + tenant.encode()
        return [hmac.digest(key, told, hashlib.sha256) for key in self._keys]
