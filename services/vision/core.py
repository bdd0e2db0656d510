"""What the vision room does: looks at untrusted pictures, bounds them, and asks a model about them.

It knows neither the contract nor which engine answers.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from services.chassis.clock import Clock
from services.chassis.errors import InvalidInput
from services.chassis.limits import IMAGES_PER_REQUEST
from services.engine.chat import Chat, require_question
from services.engine.domain import (
    Message,
    Part,
    Picture,
    PictureType,
    Piece,
    Role,
    Sampling,
    ServedModel,
    Text,
    Turn,
)
from services.media import image
from services.vision.domain import Description, Generated

DESCRIBE_PROMPT: Final = "Describe this image."
# The same picture gets the same description, as far as the engine keeps that promise.
_LIKELIEST: Final = Sampling(temperature=0)


class Vision:
    """Answers about pictures."""

    def __init__(self, chat: Chat, *, image_pixels: int, clock: Clock) -> None:
        self._chat = chat
        self._image_pixels = image_pixels
        self._clock = clock

    async def generate(self, turns: Sequence[Turn], sampling: Sampling) -> Generated:
        """Answer a conversation of text and pictures."""
        received = self._clock.monotonic()
        _require_conversation(turns)
        async with self._chat.turn():
            answer = await self._chat.ask(await self._messages(turns), sampling)
        return Generated(answer, self._since(received))

    async def generate_stream(
        self, turns: Sequence[Turn], sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """Answer as `generate` does, as the model writes; holds its place until closed."""
        received = self._clock.monotonic()
        _require_conversation(turns)
        async with (
            self._chat.turn(),
            aclosing(self._chat.stream(await self._messages(turns), sampling)) as deltas,
        ):
            async for delta in deltas:
                yield Piece(delta, self._since(received))

    async def describe(self, data: bytes, prompt: str) -> Description:
        """Describe one picture, or answer `prompt` about it."""
        received = self._clock.monotonic()
        async with self._chat.turn():
            prepared = await self._prepare(data, "image")
            parts = (_picture(prepared), Text(prompt or DESCRIBE_PROMPT))
            answer = await self._chat.ask([Message(Role.USER, parts)], _LIKELIEST)
        return Description(answer, prepared.width, prepared.height, self._since(received))

    async def model(self) -> ServedModel:
        """Tell which model answers."""
        return await self._chat.model()

    async def health(self) -> None:
        """Raise while the engine cannot answer."""
        await self._chat.check()

    async def _messages(self, turns: Sequence[Turn]) -> list[Message]:
        return [await self._message(turn, index) for index, turn in enumerate(turns)]

    async def _message(self, turn: Turn, index: int) -> Message:
        # One picture after the other: a request holds one decoded picture at a time.
        parts: list[Part] = []
        for place, part in enumerate(turn.parts):
            if isinstance(part, str):
                parts.append(Text(part))
            else:
                field = f"messages[{index}].parts[{place}].image"
                parts.append(_picture(await self._prepare(part, field)))
        return Message(turn.role, tuple(parts))

    async def _prepare(self, data: bytes, field: str) -> image.PreparedImage:
        return await image.prepare(data, max_pixels=self._image_pixels, field=field)

    def _since(self, received: float) -> timedelta:
        return timedelta(seconds=self._clock.monotonic() - received)


def _picture(prepared: image.PreparedImage) -> Picture:
    return Picture(prepared.data, PictureType(prepared.format.value))


def _require_conversation(turns: Sequence[Turn]) -> None:
    require_question(turns)
    count = sum(isinstance(part, bytes) for turn in turns for part in turn.parts)
    if count > IMAGES_PER_REQUEST:
        raise InvalidInput.field(
            "messages",
            f"hold {count} pictures",
            remedy=f"send at most {IMAGES_PER_REQUEST} in one request",
            code="TOO_MANY_IMAGES",
        )
