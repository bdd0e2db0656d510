"""What every engine behind the port does: llama.cpp with the aisle model, and its double."""

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing

import jsonschema
import pytest

from models.aisle.world import Colour, Scene, Worker, draw
from services.chassis.errors import InvalidInput, TimedOut, Unavailable
from services.engine.domain import (
    FinishReason,
    Message,
    Picture,
    PictureType,
    Role,
    Sampling,
    Text,
)
from services.engine.openai import OpenAIEngine
from services.engine.ports import Engine
from tests.doubles.engine_llama import llama
from tests.doubles.engine_server import SENTENCE, engine_server

SCENE = Scene(3, Colour.RED, Worker.ABSENT, spill=False, ladder=False)
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}, "clean": {"type": "boolean"}},
    "required": ["count", "clean"],
    "additionalProperties": False,
}
LIKELIEST = Sampling(max_tokens=64, temperature=0)


class Running:
    """An engine, and the means to stop what stands behind it."""

    def __init__(self, engine: Engine, behind: AsyncExitStack) -> None:
        self.engine = engine
        self.behind = behind


@pytest.fixture(params=["llama", "double"])
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    async with AsyncExitStack() as behind:
        if request.param == "llama":
            url = await behind.enter_async_context(llama())
        else:
            server = await behind.enter_async_context(engine_server())
            server.reply = lambda body: (
                '{"count": 3, "clean": true}' if "response_format" in body else SENTENCE
            )
            url = server.url
        async with OpenAIEngine(url) as engine:
            yield Running(engine, behind)


@pytest.fixture
def engine(running: Running) -> Engine:
    return running.engine


def picture() -> Picture:
    encoded = io.BytesIO()
    draw(SCENE, random.Random(4)).save(encoded, "PNG")
    return Picture(encoded.getvalue(), PictureType.PNG)


def ask(*parts: Text | Picture) -> list[Message]:
    return [Message(Role.USER, parts)]


DESCRIBE = Text("Describe this image.")


async def test_an_answer_carries_its_cost_and_its_model(engine: Engine) -> None:
    answer = await engine.complete(ask(picture(), DESCRIBE), LIKELIEST, timeout=30)
    assert answer.text
    assert answer.finish_reason is FinishReason.STOP
    assert answer.input_tokens > 0
    assert answer.output_tokens > 0
    assert answer.model == (await engine.model()).name


async def test_pictures_are_read(engine: Engine) -> None:
    blind = await engine.complete(ask(DESCRIBE), LIKELIEST, timeout=30)
    seeing = await engine.complete(ask(picture(), picture(), DESCRIBE), LIKELIEST, timeout=30)
    assert seeing.input_tokens > blind.input_tokens + 20


async def test_a_conversation_of_several_turns_is_taken(engine: Engine) -> None:
    turns = [
        Message(Role.SYSTEM, (Text("You describe shop aisles."),)),
        Message(Role.USER, (picture(), DESCRIBE)),
        Message(Role.ASSISTANT, (Text("The floor is clean."),)),
        Message(Role.USER, (Text("Again."), DESCRIBE)),
    ]
    answer = await engine.complete(turns, LIKELIEST, timeout=30)
    assert answer.output_tokens > 0


async def test_an_answer_ends_at_its_most_tokens_and_says_so(engine: Engine) -> None:
    sampling = Sampling(max_tokens=3, temperature=0)
    answer = await engine.complete(ask(picture(), DESCRIBE), sampling, timeout=30)
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.output_tokens == 3


async def test_an_answer_stops_before_a_stop_text(engine: Engine) -> None:
    sampling = Sampling(max_tokens=64, temperature=0, stop=("floor",))
    answer = await engine.complete(ask(picture(), DESCRIBE), sampling, timeout=30)
    assert answer.text
    assert "floor" not in answer.text
    assert answer.finish_reason is FinishReason.STOP


async def test_a_schema_is_kept(engine: Engine) -> None:
    sampling = Sampling(max_tokens=200, temperature=1, seed=1, top_p=0.9)
    answer = await engine.complete(
        ask(picture(), DESCRIBE), sampling, json_schema=SCHEMA, timeout=30
    )
    jsonschema.validate(json.loads(answer.text), SCHEMA)


async def test_a_stream_says_what_the_whole_answer_says(engine: Engine) -> None:
    whole = await engine.complete(ask(picture(), DESCRIBE), LIKELIEST, timeout=30)
    deltas = [it async for it in engine.stream(ask(picture(), DESCRIBE), LIKELIEST, timeout=30)]
    assert len(deltas) > 2
    assert "".join(it.text for it in deltas) == whole.text
    assert all(it.finish_reason is None for it in deltas[:-1])
    last = deltas[-1]
    assert last.finish_reason is whole.finish_reason
    assert last.output_tokens == whole.output_tokens
    assert last.input_tokens == whole.input_tokens
    assert last.model == whole.model


async def test_a_stream_that_is_left_early_leaves_the_engine_well(engine: Engine) -> None:
    for _ in range(4):
        async with aclosing(
            engine.stream(ask(picture(), DESCRIBE), LIKELIEST, timeout=30)
        ) as deltas:
            assert (await anext(deltas)).text
    answer = await engine.complete(ask(picture(), DESCRIBE), LIKELIEST, timeout=30)
    assert answer.finish_reason is FinishReason.STOP


async def test_many_calls_at_once_are_all_answered(engine: Engine) -> None:
    calls = [engine.complete(ask(picture(), DESCRIBE), LIKELIEST, timeout=50) for _ in range(8)]
    answers = await asyncio.gather(*calls)
    assert len({it.text for it in answers}) == 1


async def test_a_conversation_beyond_the_context_is_refused_with_a_remedy(engine: Engine) -> None:
    with pytest.raises(InvalidInput) as refused:
        await engine.complete(ask(Text("shelf " * 20_000)), LIKELIEST, timeout=30)
    assert refused.value.code == "CONTEXT_EXCEEDED"
    assert refused.value.remedy


async def test_a_picture_that_is_none_is_refused(engine: Engine) -> None:
    broken = Picture(b"not a picture", PictureType.PNG)
    with pytest.raises(InvalidInput):
        await engine.complete(ask(broken, DESCRIBE), LIKELIEST, timeout=30)


async def test_a_call_without_time_is_not_made(engine: Engine) -> None:
    with pytest.raises(TimedOut):
        await engine.complete(ask(picture(), DESCRIBE), LIKELIEST, timeout=0)


async def test_the_model_is_told_with_its_context(engine: Engine) -> None:
    model = await engine.model()
    assert model.name
    assert model.context_tokens >= 1024


async def test_an_engine_that_is_gone_is_unavailable_and_says_when_to_try_again(
    running: Running,
) -> None:
    await running.engine.check()
    await running.behind.aclose()
    with pytest.raises(Unavailable) as refused:
        await running.engine.complete(ask(DESCRIBE), LIKELIEST, timeout=30)
    assert refused.value.retry_after
    with pytest.raises(Unavailable):
        await running.engine.check()
    with pytest.raises(Unavailable):
        async for _ in running.engine.stream(ask(DESCRIBE), LIKELIEST, timeout=30):
            pass
