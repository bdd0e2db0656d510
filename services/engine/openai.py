"""The adapter to every engine behind an OpenAI-compatible address: llama.cpp, vLLM, SGLang, others.

It knows the protocol and nothing of rooms. An answer is never believed: it is bounded, and read as
the protocol says or not at all.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, Self

from services.engine.domain import Answer, Delta, Message, ModelInfo, Sampling
from services.engine.errors import as_unavailable, cut_short
from services.engine.findings import Findings
from services.engine.http import Http
from services.engine.machine import Capabilities, Load, Released
from services.engine.openai_servers import count_tokens, find, load, release
from services.engine.openai_wire import (
    DeltaReader,
    Listed,
    model_info,
    read_answer,
    read_listed,
    write_request,
)
from services.engine.ports import JsonSchema

_DATA: Final = b"data:"
_DONE: Final = b"[DONE]"


class OpenAIEngine:
    """Chats with the model at `url`, the API's base such as `http://host:8000/v1`.

    An async context manager: its connections live as long as the block.
    """

    def __init__(
        self, url: str, *, model: str = "", api_key: str = "", connections: int = 64
    ) -> None:
        self._url = url.rstrip("/")
        self._root = self._url.removesuffix("/v1")
        """Where engines serve what is not of the protocol."""
        self._model = model
        """Empty until the engine has listed its models, when none was asked for."""
        self._wanted = model
        self._naming = asyncio.Lock()
        self._http = Http(api_key=api_key, connections=connections)
        self._findings = Findings(self._find)

    async def __aenter__(self) -> Self:
        """Open the pool of connections."""
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Close every connection."""
        await self._http.__aexit__(*failure)

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        json_schema: JsonSchema | None = None,
        timeout: float,
    ) -> Answer:
        """Answer a conversation within `timeout` seconds."""
        with self._findings.watching(messages):
            model = await self._model_name()
            body = write_request(model, messages, sampling, json_schema=json_schema, streamed=False)
            url = f"{self._url}/chat/completions"
            return read_answer(await self._http.call("POST", url, body, timeout))

    async def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        json_schema: JsonSchema | None = None,
        timeout: float,
    ) -> AsyncGenerator[Delta, None]:
        """Answer piece by piece; closing the generator closes the connection with it."""
        with self._findings.watching(messages):
            model = await self._model_name()
            body = write_request(model, messages, sampling, json_schema=json_schema, streamed=True)
            reader = DeltaReader()
            url = f"{self._url}/chat/completions"
            async with aclosing(self._http.lines(url, body, timeout)) as lines:
                async for line in lines:
                    # Each of OpenAI's server-sent events is of one line.
                    event = line.removeprefix(_DATA).strip()
                    if event == _DONE:
                        break
                    if line.startswith(_DATA) and (delta := reader.read(event)):
                        yield delta
            last = reader.end()
            if last is None:
                raise cut_short()
            yield last

    async def model(self) -> ModelInfo:
        """Ask the engine which models it has, and pick the one that answers."""
        return model_info(await self._listed())

    async def check(self) -> None:
        """Raise `Unavailable` unless the engine lists its models."""
        with as_unavailable():
            await self.model()

    async def capabilities(self) -> Capabilities:
        """Tell what the engine takes."""
        return await self._findings.capabilities()

    async def count_tokens(self, text: str) -> int | None:
        """Count the tokens of a text, where the server has its tokenizer for hire."""
        kind = (await self.capabilities()).kind
        return await count_tokens(self._http, self._root, kind, await self._model_name(), text)

    async def load(self) -> Load:
        """Tell how busy the engine is, by its metrics."""
        return await load(self._http, self._root, (await self.capabilities()).kind)

    async def release_memory(self) -> tuple[Released, ...]:
        """Have the engine drop its caches, as far as it offers to."""
        return await release(self._http, self._root, await self.capabilities())

    async def _model_name(self) -> str:
        # One call asks, before any is at work: the others would wait behind those at work.
        async with self._naming:
            return self._model or (await self._listed()).id

    async def _listed(self) -> Listed:
        listed = read_listed(await self._http.get(f"{self._url}/models"), wanted=self._wanted)
        self._model = listed.id
        return listed

    async def _find(self) -> Capabilities:
        return await find(self._http, self._root, (await self._listed()).owned_by)
