"""The adapter to Ollama by its native API, which tells and does more than its imitation of
OpenAI's: it refuses what is too long, tells what a model holds of memory, unloads and fetches it.

It knows nothing of rooms. An answer is never believed: it is bounded, and read as the protocol says
or not at all.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final, Self

from services.chassis.errors import Unavailable
from services.engine.domain import Answer, Delta, Message, ModelInfo, Sampling
from services.engine.errors import as_unavailable, cut_short
from services.engine.findings import Findings
from services.engine.http import Http
from services.engine.machine import Capabilities, Load, Released
from services.engine.ollama_pull import Pull
from services.engine.ollama_wire import (
    read_answer,
    read_capabilities,
    read_delta,
    read_loaded,
    read_tags,
    write_chat,
)
from services.engine.ports import JsonSchema

_UNLOAD_SECONDS: Final = 30.0
"""Answers under way are written to their end first; who asked to unload does not wait for them."""


class OllamaEngine:
    """Chats with a model of the Ollama at `url`, such as `http://host:11434`.

    A model that is not there is fetched when `pull` says so, and `check` raises until it is. An
    async context manager: its connections, and what it fetches, live as long as the block.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        api_key: str = "",
        pull: bool = False,
        connections: int = 64,
    ) -> None:
        self._url = url.rstrip("/")
        self._wanted = _whole_name(model) if model else ""
        self._model = ""
        """Empty until it was seen to be there."""
        self._naming = asyncio.Lock()
        self._http = Http(api_key=api_key, connections=connections)
        self._pull = Pull(self._http, self._url) if pull else None
        self._findings = Findings(self._find)

    async def __aenter__(self) -> Self:
        """Open the pool of connections."""
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        """End what is being fetched, and close every connection."""
        if self._pull:
            await self._pull.stop()
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
            model = await self._name()
            body = write_chat(model, messages, sampling, json_schema=json_schema, streamed=False)
            return read_answer(
                await self._http.call("POST", f"{self._url}/api/chat", body, timeout)
            )

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
            model = await self._name()
            body = write_chat(model, messages, sampling, json_schema=json_schema, streamed=True)
            async with aclosing(self._http.lines(f"{self._url}/api/chat", body, timeout)) as lines:
                async for line in lines:
                    if delta := read_delta(line):
                        yield delta
                        if delta.finish_reason is not None:
                            return
            raise cut_short()

    async def model(self) -> ModelInfo:
        """Tell the model, and its context once it is loaded: Ollama chooses that by the machine."""
        model = await self._present()
        loaded = await self._loaded(model)
        return ModelInfo(model, loaded[1] if loaded else 0)

    async def check(self) -> None:
        """Raise `Unavailable` unless the model is there; loading it is a matter of seconds."""
        with as_unavailable():
            await self._present()

    async def capabilities(self) -> Capabilities:
        """Tell what the model takes."""
        return await self._findings.capabilities()

    async def count_tokens(self, text: str) -> int | None:
        """Tell nothing: Ollama keeps its tokenizers to itself."""
        return None

    async def load(self) -> Load:
        """Tell what the model holds of memory; how many ask it, Ollama does not tell."""
        loaded = await self._loaded(await self._name())
        return loaded[0] if loaded else Load(memory_bytes=0, device_memory_bytes=0)

    async def release_memory(self) -> tuple[Released, ...]:
        """Unload the model, once the answers under way are written."""
        model = await self._name()
        if not await self._loaded(model):
            return ()
        await self._ask("chat", {"model": model, "messages": [], "keep_alive": 0}, _UNLOAD_SECONDS)
        return (Released.MODEL,)

    async def _name(self) -> str:
        async with self._naming:
            return self._model or await self._present()

    async def _present(self) -> str:
        self._model = ""
        there = read_tags(await self._http.get(f"{self._url}/api/tags"))
        if self._wanted and self._wanted not in there:
            raise self._pull.missing(self._wanted) if self._pull else _missing()
        if not there:
            raise _missing()
        self._model = self._wanted or there[0]
        return self._model

    async def _loaded(self, model: str) -> tuple[Load, int] | None:
        return read_loaded(await self._http.get(f"{self._url}/api/ps"), model)

    async def _find(self) -> Capabilities:
        version = await self._http.get(f"{self._url}/api/version")
        return read_capabilities(version, await self._ask("show", {"model": await self._name()}))

    async def _ask(self, what: str, body: dict[str, Any], seconds: float = 5.0) -> bytes:
        encoded = json.dumps(body).encode()
        return await self._http.call("POST", f"{self._url}/api/{what}", encoded, seconds)


def _whole_name(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _missing() -> Unavailable:
    return Unavailable(
        "the engine does not have the room's model",
        remedy="fetch it with `ollama pull`, or let the room do so with its ENGINE_PULL",
    )
