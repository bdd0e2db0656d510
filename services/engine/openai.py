"""The adapter to every engine behind an OpenAI-compatible address: llama.cpp, vLLM, Ollama, SGLang.

It knows HTTP and nothing of rooms. An answer is never believed: it is bounded, and read as the
protocol says or not at all.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final, Self

import aiohttp

from services.chassis.errors import MeshError, Unavailable
from services.chassis.limits import MEBIBYTE
from services.engine.domain import Answer, Delta, Message, ModelInfo, Sampling
from services.engine.openai_errors import cut_short, not_the_protocol, refusal, told_plainly
from services.engine.openai_wire import DeltaReader, read_answer, read_model, write_request
from services.engine.ports import JsonSchema

_ANSWER_BYTES: Final = 8 * MEBIBYTE
"""The largest answer, far above what 32,768 tokens can be."""
_CONNECT_SECONDS: Final = 3.0
_CHECK_SECONDS: Final = 5.0
# llama.cpp and uvicorn, on which vLLM stands, close a connection that rests for 5 seconds; ours is
# closed first.
_KEEP_ALIVE_SECONDS: Final = 4.0
# Even so a resting connection may be closed just as it is taken up, and a second one with it.
_FRESH_TRIES: Final = 2
_NEVER_OPEN: Final = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError)


class OpenAIEngine:
    """Chats with the model at `url`, the API's base such as `http://host:8000/v1`.

    An async context manager: its connections live as long as the block.
    """

    def __init__(
        self, url: str, *, model: str = "", api_key: str = "", connections: int = 64
    ) -> None:
        self._url = url.rstrip("/")
        self._model = model
        """Empty until the engine has listed its models, when none was asked for."""
        self._wanted = model
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

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        json_schema: JsonSchema | None = None,
        timeout: float,
    ) -> Answer:
        """Answer a conversation within `timeout` seconds."""
        model = await self._model_name()
        body = write_request(model, messages, sampling, json_schema=json_schema, streamed=False)
        async with self._request("POST", "/chat/completions", body, timeout) as response:
            return read_answer(await _read_bounded(response))

    async def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        json_schema: JsonSchema | None = None,
        timeout: float,
    ) -> AsyncGenerator[Delta, None]:
        """Answer piece by piece; closing the generator closes the connection with it."""
        model = await self._model_name()
        body = write_request(model, messages, sampling, json_schema=json_schema, streamed=True)
        reader = DeltaReader()
        async with self._request("POST", "/chat/completions", body, timeout) as response:
            async with aclosing(_events(response)) as events:
                async for event in events:
                    if delta := reader.read(event):
                        yield delta
            last = reader.end()
            if last is None:
                raise cut_short()
            yield last

    async def model(self) -> ModelInfo:
        """Ask the engine which models it has, and pick the one that answers."""
        async with self._request("GET", "/models", None, _CHECK_SECONDS) as response:
            info = read_model(await _read_bounded(response), wanted=self._wanted)
        self._model = info.name
        return info

    async def check(self) -> None:
        """Raise `Unavailable` unless the engine lists its models."""
        try:
            await self.model()
        except Unavailable:
            raise
        except MeshError as failed:
            raise Unavailable(str(failed), retry_after=failed.retry_after) from failed

    async def _model_name(self) -> str:
        return self._model or (await self.model()).name

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, body: bytes | None, seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        with told_plainly():
            async with await self._send(method, path, body, seconds) as response:
                if response.status != 200:
                    raise refusal(response.status, response.headers, await _read_bounded(response))
                yield response

    async def _send(
        self, method: str, path: str, body: bytes | None, seconds: float
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
                    self._url + path,
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


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """The data of each server-sent event. OpenAI's are of one line each."""
    size = 0
    async for line in response.content:
        size += len(line)
        if size > _ANSWER_BYTES:
            raise not_the_protocol()
        if not line.startswith(b"data:"):
            continue
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            return
        yield data
