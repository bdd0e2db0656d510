"""What the reasoning room does: asks a model in words, and holds its JSON against a schema.

It knows neither the contract nor which engine answers.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Final

from services.chassis.clock import Clock
from services.chassis.errors import Internal, InvalidInput, Precondition
from services.engine.chat import Chat, require_question
from services.engine.domain import (
    Answer,
    FinishReason,
    Message,
    Part,
    Piece,
    Role,
    Sampling,
    SentPicture,
    ServedModel,
    Text,
    TokenCounts,
    Turn,
    size_of,
)
from services.engine.ports import JsonSchema
from services.reasoning import choosing
from services.reasoning.domain import Chosen, Extracted, Generated
from services.reasoning.schema import Misfit, Schema

_TRIES: Final = 2
_ONE_TOKEN: Final = Sampling(max_tokens=1, temperature=0.0, likeliest=choosing.LIKELIEST)
_TOO_LONG: Final = "CONTEXT_EXCEEDED"
_REFUSED: Final = "ENGINE_REFUSED"


class Reasoning:
    """Answers with a language model."""

    def __init__(self, chat: Chat, *, clock: Clock) -> None:
        self._chat = chat
        self._clock = clock

    async def generate(self, turns: Sequence[Turn], sampling: Sampling) -> Generated:
        """Answer a conversation."""
        received = self._clock.monotonic()
        messages = _conversation(turns)
        async with self._chat.turn(_size(turns)), self._telling_sizes(turns, sampling):
            answer = await self._chat.ask(messages, sampling)
        return Generated(answer, self._since(received))

    async def generate_stream(
        self, turns: Sequence[Turn], sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """Answer as `generate` does, as the model writes; holds its place until closed."""
        received = self._clock.monotonic()
        messages = _conversation(turns)
        async with (
            self._chat.turn(_size(turns)),
            self._telling_sizes(turns, sampling),
            aclosing(self._chat.stream(messages, sampling)) as deltas,
        ):
            async for delta in deltas:
                yield Piece(delta, self._since(received))

    async def extract(
        self, turns: Sequence[Turn], json_schema: str, sampling: Sampling
    ) -> Extracted:
        """Answer a conversation with an object that fits a schema.

        An engine that is not known to hold to schemas is told it in words besides, and one that
        refuses to be held to this one in words alone. An answer that does not fit is shown to the
        model once, with what is wrong.
        """
        received = self._clock.monotonic()
        messages = _conversation(turns)
        # In a thread, because a caller decides how much work a schema is.
        schema = await asyncio.to_thread(Schema, json_schema)
        told = [*messages[:-1], _with_schema(messages[-1], json_schema)]
        held: JsonSchema | None = schema.document
        complaint: tuple[Message, ...] = ()
        input_tokens = output_tokens = 0
        left = _TRIES
        async with self._chat.turn(_size(turns)), self._telling_sizes(turns, sampling):
            asked = messages if await self._chat.holds_schema() else told
            while left:
                try:
                    answer = await self._chat.ask([*asked, *complaint], sampling, json_schema=held)
                except InvalidInput as refused:
                    if held is not None and refused.code == _REFUSED:
                        # Each engine takes its own part of JSON Schema, and some take none.
                        asked, held = told, None
                        continue
                    if complaint:
                        # What was asked fits; the misfit beside it is too much.
                        break
                    raise
                left -= 1
                input_tokens += answer.input_tokens
                output_tokens += answer.output_tokens
                _require_whole(answer)
                try:
                    value = await asyncio.to_thread(schema.read, answer.text)
                except Misfit as misfit:
                    complaint = _complaint(answer, misfit)
                    continue
                took = self._since(received)
                return Extracted(value, input_tokens, output_tokens, answer.model, took)
        raise Internal(
            "the model's answers do not fit the schema",
            remedy="simplify the schema, or use an engine that keeps to one",
            code="SCHEMA_NOT_MET",
        )

    async def choose(self, turns: Sequence[Turn], answers: Sequence[str]) -> Chosen:
        """Tell how likely each of some answers to a conversation is, of which none begins another.

        An engine that does not tell, or would say something else, chooses one of them.
        """
        received = self._clock.monotonic()
        messages = _conversation(turns)
        async with self._chat.turn(_size(turns)), self._telling_sizes(turns, _ONE_TOKEN):
            if await self._chat.tells_likelihoods():
                told = await self._chat.ask(messages, _ONE_TOKEN)
                if probabilities := choosing.shares(told.beginnings, answers):
                    cost = told.input_tokens, told.output_tokens, told.model
                    return Chosen(probabilities, True, *cost, self._since(received))
        schema = json.dumps(choosing.schema(answers))
        chosen = await self.extract(turns, schema, Sampling(temperature=0.0))
        probabilities = tuple(float(it == chosen.value[choosing.FIELD]) for it in answers)
        cost = chosen.input_tokens, chosen.output_tokens, chosen.model
        return Chosen(probabilities, False, *cost, self._since(received))

    async def count_tokens(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of texts."""
        return await self._chat.count_tokens(texts)

    async def model(self) -> ServedModel:
        """Tell which model answers."""
        return await self._chat.model()

    async def health(self) -> None:
        """Raise while the engine cannot answer."""
        await self._chat.check()

    @asynccontextmanager
    async def _telling_sizes(
        self, turns: Sequence[Turn], sampling: Sampling
    ) -> AsyncIterator[None]:
        """Tell who asked for too much how much it was."""
        try:
            yield
        except InvalidInput as refused:
            if refused.code != _TOO_LONG:
                raise
            texts = [part for turn in turns for part in turn.parts if isinstance(part, str)]
            counted = await self._chat.count_tokens(texts)
            about = "" if counted.exact else "about "
            raise InvalidInput(
                f"the conversation has {about}{sum(counted.counts)} tokens, its answer may have "
                f"{self._chat.most_tokens(sampling)}, and the model's context holds "
                f"{counted.context_tokens or 'fewer'}",
                remedy="split it by what CountTokens tells, or ask for fewer tokens",
                code=_TOO_LONG,
            ) from refused

    def _since(self, received: float) -> timedelta:
        return timedelta(seconds=self._clock.monotonic() - received)


def _conversation(turns: Sequence[Turn]) -> list[Message]:
    require_question(turns)
    return [_message(turn, index) for index, turn in enumerate(turns)]


def _size(turns: Sequence[Turn]) -> int:
    return size_of(part for turn in turns for part in turn.parts)


def _message(turn: Turn, index: int) -> Message:
    parts: list[Part] = []
    for place, part in enumerate(turn.parts):
        if not isinstance(part, str):
            kind = "image" if isinstance(part, SentPicture) else "video"
            raise InvalidInput.field(
                f"messages[{index}].parts[{place}].{kind}",
                "this room does not see",
                remedy="ask the vision service about pictures and videos",
                code="IMAGE_REFUSED",
            )
        parts.append(Text(part))
    return Message(turn.role, tuple(parts))


def _with_schema(last: Message, json_schema: str) -> Message:
    told = f"Answer with one JSON object that fits this JSON Schema, alone: {json_schema}"
    texts = [part.text for part in last.parts if isinstance(part, Text)]
    return Message(last.role, (Text("\n\n".join([*texts, told])),))


def _require_whole(answer: Answer) -> None:
    if answer.finish_reason is FinishReason.LENGTH:
        raise Precondition(
            "the answer was cut before it was whole",
            remedy="raise sampling.max_tokens, or bound the lengths in the schema",
            code="ANSWER_CUT",
        )


def _complaint(answer: Answer, misfit: Misfit) -> tuple[Message, Message]:
    request = f"That does not fit the schema: {misfit}. Answer again with the JSON object alone."
    return (
        Message(Role.ASSISTANT, (Text(answer.text or "{}"),)),
        Message(Role.USER, (Text(request),)),
    )
