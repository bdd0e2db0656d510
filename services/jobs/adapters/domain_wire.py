"""Requests to the posemesh network: bounded in time and size, and every failure in words that name
no address and no token.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import aiohttp
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from yarl import URL

from services.chassis.errors import InvalidInput
from services.jobs.ports.gathering import SourceDown
from services.media.fetch import retry_after
from services.media.guard import AddressRefused

TIMEOUT: Final = aiohttp.ClientTimeout(total=300, sock_connect=5, sock_read=15)
_PASSING: Final = (408, 425, 429)
_TOLD_BYTES: Final = 8 * 1024 * 1024
"""The most of an answer in JSON: the metadata of tens of thousands of items."""


class Wire:
    """Asks one side of the network, through a session of one's own."""

    def __init__(self, session: aiohttp.ClientSession, client_id: str) -> None:
        self._session = session
        self._headers = {"posemesh-client-id": client_id}

    async def ask(
        self,
        method: str,
        url: str,
        *,
        proof: str = "",
        given: Mapping[str, Any] | None = None,
    ) -> tuple[int, Any]:
        """Ask for JSON. Returns the status and the answer, None where that is no JSON."""
        options = {} if given is None else {"json": given}
        asked = self.open(method, url, proof=proof, accept="json", **options)
        async with asked as response:
            return response.status, await read_json(response)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        url: str,
        *,
        accept: str,
        proof: str = "",
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, and read the answer within the block.

        `proof` is the `Authorization`. Raises `SourceDown` for what may pass.
        """
        headers = {**self._headers, "Accept": _ACCEPTS[accept], **options.pop("headers", {})}
        if proof:
            headers["Authorization"] = proof
        with failures_told(), suppress_http_instrumentation():
            # A redirect would take the token elsewhere.
            async with self._session.request(
                method, URL(url, encoded=True), headers=headers, allow_redirects=False, **options
            ) as response:
                if response.status in _PASSING or response.status >= 500:
                    raise SourceDown(
                        f"the posemesh network answers HTTP status {response.status}",
                        remedy="try again later",
                        retry_after=retry_after(response),
                    )
                yield response


_ACCEPTS: Final = {
    "json": "application/json",
    "parts": "multipart/form-data",
    "bytes": "application/octet-stream",
}


async def read_bounded(response: aiohttp.ClientResponse, most_bytes: int) -> bytes | None:
    """Read an answer; None when it is larger than that."""
    if (response.content_length or 0) > most_bytes:
        return None
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > most_bytes:
            return None
    return bytes(data)


async def read_json(response: aiohttp.ClientResponse) -> Any:
    """Read an answer in JSON; None where it is none."""
    try:
        return json.loads(await read_bounded(response, _TOLD_BYTES) or b"")
    except ValueError:
        return None


@contextmanager
def failures_told() -> Iterator[None]:
    """Tell what goes wrong on the way."""
    try:
        yield
    except AddressRefused:
        raise InvalidInput(
            "the domain's server is at an address that is not fetched from",
            remedy="have the operator allow it in JOBS_FETCH_ALLOW",
            code="ADDRESS_NOT_ALLOWED",
        ) from None
    except TimeoutError:
        raise SourceDown("the posemesh network did not answer in time") from None
    except (aiohttp.ClientError, OSError):
        raise SourceDown("the connection to the posemesh network failed") from None
