"""Receivers of webhooks over HTTP: through the guard, once, in a bounded time, no redirect
followed, and of the answer no more read than tells a person what went wrong.

No address is logged or traced: it may hold a secret of its receiver's.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Self

import aiohttp
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from services.jobs.webhooks.domain import Answer
from services.media.guard import AddressRefused, Guard, parsed

ANSWER_SECONDS: Final = 10.0
"""The time that a receiver has to answer."""
CONNECTIONS: Final = 32
"""The most messages at once."""
_CONNECT_SECONDS: Final = 5.0
_READ_SECONDS: Final = 1.0
_READ_BYTES: Final = 1024
_TOLD_CHARACTERS: Final = 200
_HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": "sensorium-webhooks",
    "Accept-Encoding": "identity",
}


class HttpReceiver:
    """Posts messages. An async context manager: its connections live as long as the block."""

    def __init__(
        self, guard: Guard, *, seconds: float = ANSWER_SECONDS, connections: int = CONNECTIONS
    ) -> None:
        self._guard = guard
        self._seconds = seconds
        self._connections = connections

    async def __aenter__(self) -> Self:
        """Open the pool of connections."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        self._session = self._guard.session(timeout=timeout, connections=self._connections)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a JSON message once. What goes wrong is an answer too."""
        try:
            with suppress_http_instrumentation():
                async with asyncio.timeout(self._seconds):
                    return await self._post(url, body, {**_HEADERS, **headers})
        except AddressRefused as refused:
            return Answer(0, f"it was not called: {refused}")
        except TimeoutError:
            return Answer(0, f"it did not answer within {self._seconds:g} s")
        except aiohttp.ClientConnectorDNSError:
            return Answer(0, "its host is not known")
        except aiohttp.ClientSSLError:
            return Answer(0, "its host does not prove who it is: look at its certificate")
        except aiohttp.ClientConnectorError:
            return Answer(0, "it could not be reached")
        except (aiohttp.ClientError, OSError):
            return Answer(0, "it closed the connection without an answer, or spoke no HTTP")

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        async with self._session.post(
            parsed(url), data=body, headers=headers, allow_redirects=False
        ) as response:
            answer = Answer(response.status)
            if answer.is_success:
                return answer
            problem = f"it answered {response.status}"
            if 300 <= response.status < 400:
                problem += ", a redirect, which is not followed: name where it leads to instead"
            elif said := await _said(response):
                problem += f": {said}"
            return Answer(response.status, problem, _retry_after(response))


async def _said(response: aiohttp.ClientResponse) -> str:
    read = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(_READ_SECONDS):
            while len(read) < _READ_BYTES and (piece := await response.content.read(_READ_BYTES)):
                read += piece
    text = read[:_READ_BYTES].decode(errors="replace")
    printable = "".join(it if it.isprintable() else " " for it in text)
    return " ".join(printable.split())[:_TOLD_CHARACTERS]


def _retry_after(response: aiohttp.ClientResponse) -> timedelta | None:
    told = response.headers.get("Retry-After", "").strip()
    try:
        if told.isascii() and told.isdigit():
            return timedelta(seconds=int(told))
        at = parsedate_to_datetime(told)
        return max(at.astimezone(UTC) - datetime.now(UTC), timedelta())
    except (ValueError, OverflowError):
        return None
