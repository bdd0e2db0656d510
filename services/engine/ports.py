"""What the rooms need of an engine, whichever it is."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from services.engine.domain import Answer, Delta, Message, ModelInfo, Sampling
from services.engine.machine import Capabilities, Load, Released

JsonSchema = Mapping[str, Any]


class Engine(Protocol):
    """Chats with a model.

    Every method raises errors of the mesh's family alone: `Unavailable` while the engine is down or
    loading, `Exhausted` when it has too much to do, `TimedOut` when it is slow, `InvalidInput` when
    the request is too much for the model, and of that `MediaRefused` when it holds more pictures
    or clips than the engine takes, which `capabilities` tells from then on.
    """

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        json_schema: JsonSchema | None = None,
        timeout: float,
    ) -> Answer:
        """Answer a conversation within `timeout` seconds.

        With a schema the answer is JSON that fits it, unless it was cut: see the finish reason.
        """
        ...

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        json_schema: JsonSchema | None = None,
        timeout: float,
    ) -> AsyncGenerator[Delta, None]:
        """Answer piece by piece, the whole within `timeout` seconds.

        The last piece, and no other, has a finish reason. Closing the generator stops the engine's
        work at once.
        """
        ...

    async def model(self) -> ModelInfo:
        """Tell which model answers."""
        ...

    async def check(self) -> None:
        """Return when the engine can answer now; raise `Unavailable` otherwise."""
        ...

    async def capabilities(self) -> Capabilities:
        """Tell what the engine takes: asked once, and refined by what it refuses."""
        ...

    async def count_tokens(self, text: str) -> int | None:
        """Count the tokens of a text by the model's own tokenizer; None where it is not offered."""
        ...

    async def load(self) -> Load:
        """Tell how busy the engine is now."""
        ...

    async def release_memory(self) -> tuple[Released, ...]:
        """Have the engine drop what it keeps beside its work; tell what it dropped.

        Answers under way are not harmed: a busy engine keeps what they need.
        """
        ...
