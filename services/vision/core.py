"""What the vision room does: looks at untrusted pictures and videos, bounds them, and asks a model
about them.

It knows neither the contract nor which engine answers.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from services.chassis.clock import Clock
from services.chassis.errors import MeshError
from services.engine.chat import Chat, require_question
from services.engine.domain import (
    Answer,
    FinishReason,
    Picture,
    Piece,
    Sampling,
    SentPart,
    SentPicture,
    ServedModel,
    Turn,
    size_of,
)
from services.vision import prompts
from services.vision.domain import Description, Generated, Scene, Wish
from services.vision.viewing import Opened, Viewer, as_picture, placed, require_few


class Vision:
    """Answers about pictures and videos.

    `follows` says whether the model does as it is told.
    """

    def __init__(self, chat: Chat, viewer: Viewer, *, follows: bool, clock: Clock) -> None:
        self._chat = chat
        self._viewer = viewer
        self._follows = follows
        self._clock = clock

    async def generate(self, turns: Sequence[Turn], sampling: Sampling) -> Generated:
        """Answer a conversation of text, pictures and videos."""
        received = self._clock.monotonic()
        _require_conversation(turns)
        async with self._turn(list(placed(turns))) as opened:
            answer = await self._chat.ask(await self._viewer.show(turns, opened), sampling)
        return Generated(answer, self._since(received))

    async def generate_stream(
        self, turns: Sequence[Turn], sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """Answer as `generate` does, as the model writes; holds its place until closed."""
        received = self._clock.monotonic()
        _require_conversation(turns)
        async with (
            self._turn(list(placed(turns))) as opened,
            aclosing(self._chat.stream(await self._viewer.show(turns, opened), sampling)) as deltas,
        ):
            async for delta in deltas:
                yield Piece(delta, self._since(received))

    async def describe(self, sent: SentPicture, wish: Wish) -> Description:
        """Describe one picture in words, and as a scene when that is wanted.

        A scene that the model cannot give is a problem told, and no failure of the description.
        """
        received = self._clock.monotonic()
        async with self._turn([("image", sent)]) as opened:
            prepared = await self._viewer.picture(sent, opened, field="image")
            picture = as_picture(prepared)
            asked = prompts.description([picture], wish, follows=self._follows)
            answer = await self._chat.ask(asked, wish.steady)
            scene, problem = None, ""
            if wish.analyze:
                answer, scene, problem = await self._analyzed(picture, wish, answer)
        return Description(
            answer,
            prepared.width,
            prepared.height,
            self._since(received),
            scene=scene,
            scene_problem=problem,
        )

    async def model(self) -> ServedModel:
        """Tell which model answers."""
        model = await self._chat.model()
        return model if self._follows else replace(model, can=replace(model.can, schema=False))

    async def health(self) -> None:
        """Raise while the engine cannot answer."""
        await self._chat.check()

    @asynccontextmanager
    async def _turn(self, parts: Sequence[tuple[str, SentPart]]) -> AsyncIterator[Opened]:
        """Open what parts name, and hold a place at the engine for a block."""
        size = size_of(part for _, part in parts)
        # Nothing is fetched for who would be refused.
        self._chat.require_room(size)
        opened = await self._viewer.open(parts)
        size += sum(map(len, opened.values()))
        async with self._chat.turn(size), self._viewer.blaming(parts, opened):
            yield opened

    async def _analyzed(
        self, picture: Picture, wish: Wish, described: Answer
    ) -> tuple[Answer, Scene | None, str]:
        """Ask for the scene; the description's cost grows by what that took."""
        if (await self.model()).can.schema is False:
            return described, None, "the model that answers here gives no structured fields"
        sampling = replace(wish.steady, max_tokens=prompts.SCENE_TOKENS, stop=())
        try:
            answer = await self._chat.ask(
                prompts.scene(picture, wish), sampling, json_schema=prompts.SCENE_SCHEMA
            )
        except MeshError as failed:
            return described, None, str(failed)
        cost = replace(
            described,
            input_tokens=described.input_tokens + answer.input_tokens,
            output_tokens=described.output_tokens + answer.output_tokens,
        )
        if answer.finish_reason is FinishReason.LENGTH:
            return cost, None, "the model wrote more than it may and was cut"
        try:
            return cost, prompts.read_scene(answer.text), ""
        except ValueError:
            return cost, None, "the model did not give the fields that it was asked for"

    def _since(self, received: float) -> timedelta:
        return timedelta(seconds=self._clock.monotonic() - received)


def _require_conversation(turns: Sequence[Turn]) -> None:
    require_question(turns)
    require_few(turns)
