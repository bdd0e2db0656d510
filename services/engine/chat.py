"""A room's way to its engine: so many calls at once, so many tokens, so much time.

It knows neither the contract nor what the room does with an answer.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from services.chassis import call
from services.chassis.errors import InvalidInput, MeshError
from services.engine.config import EngineConfig
from services.engine.domain import (
    Answer,
    Delta,
    Message,
    ModelInfo,
    Role,
    Sampling,
    ServedModel,
    Turn,
)
from services.engine.gate import Gate
from services.engine.ports import Engine, JsonSchema


class Chat:
    """Asks an engine within the bounds that a room's configuration sets."""

    def __init__(self, engine: Engine, config: EngineConfig) -> None:
        self._engine = engine
        self._config = config
        self._gate = Gate(calls=config.engine_calls, waiting=config.engine_waiting)

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Hold a place at the engine for a block. Raises `Exhausted` when too many wait for one."""
        return self._gate.turn()

    async def ask(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        json_schema: JsonSchema | None = None,
    ) -> Answer:
        """Ask the engine, within the time that is left of the call under way."""
        return await self._engine.complete(
            messages, self._bounded(sampling), json_schema=json_schema, timeout=self._seconds()
        )

    def stream(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[Delta, None]:
        """Ask the engine as `ask` does, and read its answer as it is written.

        Who takes the generator closes it, which stops the engine's work.
        """
        return self._engine.stream(messages, self._bounded(sampling), timeout=self._seconds())

    async def model(self) -> ServedModel:
        """Tell which model answers; one whose engine is down is not ready."""
        try:
            info, ready = await self._engine.model(), True
        except MeshError:
            info, ready = ModelInfo(self._config.model), False
        return ServedModel(info, ready=ready, notice=self._config.model_notice)

    async def check(self) -> None:
        """Raise while the engine cannot answer."""
        await self._engine.check()

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
