"""A room's way to its engine: so many calls at once, so many tokens, so much time.

It knows neither the contract nor what the room does with an answer.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import replace
from typing import Final

from services.chassis import call
from services.chassis.errors import InvalidInput, MeshError
from services.engine.config import EngineConfig
from services.engine.domain import (
    Answer,
    Clip,
    Delta,
    Message,
    ModelInfo,
    Picture,
    Role,
    Sampling,
    ServedModel,
    TokenCounts,
    Turn,
)
from services.engine.errors import MediaRefused
from services.engine.gate import Gate
from services.engine.limit import Limit
from services.engine.machine import Capabilities
from services.engine.ports import Engine, JsonSchema
from services.engine.show import shown

_LOAD_SECONDS: Final = 1.0
_COUNTED_AT_ONCE: Final = 2
"""Texts, of all callers: there are few connections for what is not an answer."""
_BYTES_A_TOKEN: Final = 2
"""English has four and Chinese three; a token too many does less harm than one too few."""


class Chat:
    """Asks an engine within the bounds that a room's configuration sets."""

    def __init__(self, engine: Engine, config: EngineConfig) -> None:
        self._engine = engine
        self._config = config
        self._counting = asyncio.Semaphore(_COUNTED_AT_ONCE)
        limit = Limit(most=config.engine_calls)
        self._gate = Gate(
            limit,
            waiting=config.engine_waiting,
            live_waiting=config.live_waiting,
            waiting_bytes=config.engine_waiting_bytes,
            weights=config.tenant_weights,
        )

    def require_room(self, size: int) -> None:
        """Raise `Exhausted` where `turn` would raise it now, so that nothing is begun in vain."""
        self._gate.require_room(size)

    def turn(self, size: int) -> AbstractAsyncContextManager[None]:
        """Hold a place at the engine for a block; until it is given, `size` bytes wait with it.

        Raises `Exhausted` when the engine has too much to do.
        """
        return self._gate.turn(size)

    async def ask(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        json_schema: JsonSchema | None = None,
    ) -> Answer:
        """Ask the engine, within the time that is left of the call under way."""
        while True:
            showing = await self._shown(messages)
            try:
                return await self._engine.complete(
                    showing,
                    self._bounded(sampling),
                    json_schema=json_schema,
                    timeout=self._seconds(),
                )
            except MediaRefused:
                if await self._shown(messages) == showing:
                    raise

    async def stream(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[Delta, None]:
        """Ask the engine as `ask` does, and read its answer as it is written.

        Who takes the generator closes it, which stops the engine's work.
        """
        while True:
            showing = await self._shown(messages)
            deltas = self._engine.stream(showing, self._bounded(sampling), timeout=self._seconds())
            async with aclosing(deltas):
                try:
                    # What is refused is refused before its answer begins.
                    first = await anext(deltas)
                except MediaRefused:
                    if await self._shown(messages) == showing:
                        raise
                    continue
                yield first
                async for delta in deltas:
                    yield delta
                return

    async def count_tokens(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of texts, by the engine's tokenizer or else by an estimate."""
        counts = []
        for text in texts:
            async with self._counting:
                counts.append(await self._engine.count_tokens(text))
        exact = [it for it in counts if it is not None]
        context = (await self._engine.model()).context_tokens
        if len(exact) == len(texts):
            return TokenCounts(tuple(exact), exact=True, context_tokens=context)
        rough = tuple(math.ceil(len(it.encode()) / _BYTES_A_TOKEN) for it in texts)
        return TokenCounts(rough, exact=False, context_tokens=context)

    async def holds_schema(self) -> bool:
        """Tell whether the engine is known to hold an answer to a schema by itself."""
        return bool((await self._engine.capabilities()).schema)

    async def tells_likelihoods(self) -> bool:
        """Tell whether the engine says how likely the tokens are that an answer may begin with."""
        return (await self._engine.capabilities()).likelihoods

    def most_tokens(self, sampling: Sampling) -> int:
        """The most tokens that an answer may have."""
        return self._bounded(sampling).max_tokens

    async def model(self) -> ServedModel:
        """Tell which model answers; one whose engine is down is not ready."""
        try:
            info, can = await self._engine.model(), await self._engine.capabilities()
        except MeshError:
            notice = self._config.model_notice
            return ServedModel(
                ModelInfo(self._config.model), Capabilities(), ready=False, notice=notice
            )
        return ServedModel(info, can, ready=True, notice=self._config.model_notice)

    async def check(self) -> None:
        """Raise while the engine cannot answer; asked often, it keeps the gate informed."""
        await self._engine.check()
        # Not to be told is no illness.
        with suppress(MeshError, TimeoutError):
            async with asyncio.timeout(_LOAD_SECONDS):
                self._gate.serves((await self._engine.capabilities()).parallel)
                if self._gate.is_full:
                    self._gate.told((await self._engine.load()).waiting)

    async def _shown(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Show them by what is known of the engine: each refusal teaches more of it."""
        parts = (part for message in messages for part in message.parts)
        if not any(isinstance(part, Picture | Clip) for part in parts):
            return messages
        return shown(messages, await self._engine.capabilities())

    def _bounded(self, sampling: Sampling) -> Sampling:
        return replace(sampling, max_tokens=sampling.max_tokens or self._config.max_tokens)

    def _seconds(self) -> float:
        remaining = call.current().remaining()
        seconds = self._config.engine_seconds
        return seconds if remaining is None else min(seconds, remaining)


def require_question(turns: Sequence[Turn]) -> None:
    """Refuse a conversation that does not end with the user's turn."""
    last = len(turns) - 1
    if turns[last].role is not Role.USER:
        raise InvalidInput.field(
            f"messages[{last}].role",
            "the last message is not the user's",
            remedy="end the conversation with a message whose role is ROLE_USER",
        )
