"""An engine's HTTP API: one pool of connections, bounded answers, failures told in the mesh's own
errors. It knows no engine and no protocol beyond HTTP.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import aiohttp

from services.chassis.limits import MEBIBYTE
from services.engine.errors import not_the_protocol, refusal, told_plainly

CHECK_SECONDS: Final = 5.0
"""The most seconds that a question about the engine itself may take."""
_ANSWER_BYTES: Final = 8 * MEBIBYTE
"""The largest answer, far above what 32,768 tokens can be."""
_CONNECT_SECONDS: Final = 3.0
# llama.cpp and uvicorn, on which vLLM stands, close a connection that rests for 5 seconds; ours is
# closed first.
_KEEP_ALIVE_SECONDS: Final = 4.0
# Even so a resting connection may be closed just as it is taken up, and a second one with it.
_FRESH_TRIES: Final = 2
_NEVER_OPEN: Final = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError)


class Http:
    """Sends requests. An async context manager: its connections live as long as the block."""

    def __init__(self, *, api_key: str = "", connections: int = 64) -> None:
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._connections = connections

    async def __aenter__(self) -> Self:
        """Open the pool of connections."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=_KEEP_ALIVE_SECONDS
            ),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._session.close()

    async def get(self, url: str) -> bytes:
        """Ask the engine about itself."""
        return await self.call("GET", url, None, CHECK_SECONDS)

    async def post(self, url: str, body: Mapping[str, Any] | None = None) -> bytes:
        """Tell the engine to do something with itself."""
        encoded = None if body is None else json.dumps(body).encode()
        return await self.call("POST", url, encoded, CHECK_SECONDS)

    async def call(self, method: str, url: str, body: bytes | None, seconds: float) -> bytes:
        """Send a request and read its whole answer."""
        async with self._answered(method, url, body, seconds) as response:
            return await _read_bounded(response)

    async def lines(self, url: str, body: bytes, seconds: float) -> AsyncGenerator[bytes, None]:
        """Send a request and read its answer line by line; closing this closes its connection."""
        size = 0
        async with self._answered("POST", url, body, seconds) as response:
            async for line in response.content:
                size += len(line)
                if size > _ANSWER_BYTES:
                    raise not_the_protocol()
                yield line

    @asynccontextmanager
    async def _answered(
        self, method: str, url: str, body: bytes | None, seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        with told_plainly():
            async with await self._send(method, url, body, seconds) as response:
                if response.status != 200:
                    raise refusal(response.status, response.headers, await _read_bounded(response))
                yield response

    async def _send(
        self, method: str, url: str, body: bytes | None, seconds: float
    ) -> aiohttp.ClientResponse:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        tries = 1 + _FRESH_TRIES
        while True:
            tries -= 1
            left = deadline - loop.time()
            if left <= 0:
                # aiohttp would take it for no limit.
                raise TimeoutError
            try:
                return await self._session.request(
                    method,
                    url,
                    data=body,
                    headers={"Content-Type": "application/json"} if body is not None else None,
                    # A redirect would take the key and the pictures elsewhere.
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=left, sock_connect=_CONNECT_SECONDS),
                )
            except aiohttp.ClientConnectionError as closed:
                # An open connection was closed before a byte of the answer. Asking a model has no
                # effect that asking again could double.
                if tries == 0 or isinstance(closed, _NEVER_OPEN):
                    raise


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _ANSWER_BYTES:
            raise not_the_protocol()
    return bytes(body)
