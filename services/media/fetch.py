"""Bytes from an address that a stranger names: through the guard, of a bounded size, in a bounded
time.

It knows neither what the bytes are nor who asks. No address is told in an error, logged or traced:
signed ones are secrets.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Self

import aiohttp
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from yarl import URL

from services.chassis import call, limits
from services.chassis.errors import InvalidInput, MeshError, Unavailable, Violation
from services.media.guard import AddressRefused, Guard, parsed

FETCH_SECONDS: Final = 30.0
"""The time that one fetch may take, redirects and all."""
_CONNECT_SECONDS: Final = 5.0
_SILENT_SECONDS: Final = 10.0
_REDIRECTS: Final = 3
_CONNECTIONS: Final = 16
"""The most fetches at once: each may hold a body of the largest size."""
_RETRY_AFTER: Final = timedelta(seconds=1)
_LONGEST_WAIT: Final = timedelta(hours=1)
_LONGEST_DIGITS: Final = 9
_PASSING: Final = (408, 425, 429)
_MOVED: Final = (301, 302, 303, 307, 308)
_REMEDY: Final = "name an address that gives the file itself, or send its bytes"


@dataclass(frozen=True)
class Media:
    """Bytes of unknown worth."""

    data: bytes = field(repr=False)
    media_type: str = ""
    """What their source says that they are, in lower case; it is not to be believed."""


Add = Callable[[bytes], Awaitable[None]]
"""Takes the next bytes."""


class Fetcher:
    """Fetches addresses. An async context manager: its connections live as long as the block."""

    def __init__(self, guard: Guard, *, seconds: float = FETCH_SECONDS) -> None:
        self._guard = guard
        self._seconds = seconds

    async def __aenter__(self) -> Self:
        """Open the pool of connections."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENT_SECONDS
        )
        self._session = self._guard.session(timeout=timeout, connections=_CONNECTIONS)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._session.close()

    async def fetch(
        self, address: str, *, field: str, most_bytes: int = limits.BODY_BYTES
    ) -> Media:
        """Fetch what is at an http or https address, following a few redirects.

        Raises `InvalidInput` about `field` for what will not change, `Unavailable` for what may.
        """
        data = bytearray()

        async def add(piece: bytes) -> None:
            data.extend(piece)

        media_type = await self.bring(address, add, field=field, most_bytes=most_bytes)
        return Media(bytes(data), media_type)

    async def bring(self, address: str, add: Add, *, field: str, most_bytes: int) -> str:
        """Hand over what is there piece by piece, and tell what its source says that it is.

        Raises as `fetch` does, and what `add` raises. Each 32 MiB that may come have the time of
        one fetch.
        """
        allowed = self._seconds * max(1.0, most_bytes / limits.BODY_BYTES)
        remaining = call.current().remaining()
        seconds = allowed if remaining is None else min(allowed, remaining)
        try:
            with suppress_http_instrumentation():
                async with asyncio.timeout(seconds):
                    return await self._follow(parsed(address), add, field, most_bytes)
        except AddressRefused as refused:
            raise InvalidInput.field(
                field,
                f"names an address that is not fetched: {refused}",
                remedy="name a public one, or have the operator allow this one",
                code="ADDRESS_NOT_ALLOWED",
            ) from None
        except TimeoutError:
            raise _passing(field, "could not be fetched in time") from None
        except (aiohttp.ClientError, OSError) as failed:
            raise _told(failed, field) from None

    async def _follow(self, url: URL, add: Add, field: str, most_bytes: int) -> str:
        for _ in range(1 + _REDIRECTS):
            async with self._session.get(
                url, allow_redirects=False, headers={"Accept-Encoding": "identity"}
            ) as response:
                target = response.headers.get("Location", "")
                if response.status not in _MOVED or not target:
                    return await _read(response, add, field, most_bytes)
            url = parsed(target, base=url)
        raise _failed(field, f"is redirected more than {_REDIRECTS} times")


async def _read(response: aiohttp.ClientResponse, add: Add, field: str, most_bytes: int) -> str:
    if response.status in _PASSING or response.status >= 500:
        raise _passing(
            field,
            f"could not be fetched: it answers HTTP status {response.status}",
            retry_after(response),
        )
    if response.status != 200:
        raise _failed(field, f"cannot be fetched: it answers HTTP status {response.status}")
    if (response.content_length or 0) > most_bytes:
        raise too_large(field, most_bytes)
    # Read piece by piece, so that what unpacks to more than it says is stopped as soon as it does.
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > most_bytes:
            raise too_large(field, most_bytes)
        await add(piece)
    return response.content_type.lower()


_UNKNOWN_HOST: Final = (socket.EAI_NONAME, socket.EAI_NODATA)


def _told(failed: Exception, field: str) -> MeshError:
    match failed:
        case aiohttp.ClientConnectorDNSError(os_error=OSError(errno=number)) if (
            number in _UNKNOWN_HOST
        ):
            return _failed(field, "cannot be fetched: its host is not known")
        case aiohttp.ClientSSLError():
            return _failed(field, "cannot be fetched: its host does not prove who it is")
        case aiohttp.InvalidURL() | aiohttp.ClientResponseError():
            return _failed(field, "cannot be fetched: it does not speak HTTP as it should")
        case _:
            return _passing(field, "could not be fetched: the connection failed")


def retry_after(response: aiohttp.ClientResponse) -> timedelta | None:
    """When a server asks to be asked again, an hour at most; None where it does not say."""
    told = response.headers.get("Retry-After", "")
    if not told.isascii() or not told.isdecimal() or len(told) > _LONGEST_DIGITS:
        return None
    return min(timedelta(seconds=int(told)), _LONGEST_WAIT)


def too_large(field: str, most_bytes: int) -> InvalidInput:
    """The error of media of too many bytes, wherever they come from."""
    return InvalidInput.field(
        field,
        f"holds more than {most_bytes} bytes",
        remedy="send it smaller, or in parts",
        code="MEDIA_TOO_LARGE",
    )


def _failed(field: str, problem: str) -> InvalidInput:
    return InvalidInput.field(field, problem, remedy=_REMEDY, code="FETCH_FAILED")


def _passing(field: str, problem: str, after: timedelta | None = None) -> MeshError:
    return Unavailable(
        f"{field}: {problem}",
        remedy="try again, or send the bytes",
        code="FETCH_FAILED",
        violations=[Violation(field, problem)],
        retry_after=_RETRY_AFTER if after is None else after,
    )
