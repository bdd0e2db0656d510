"""What every engine behind the port does: llama.cpp with the aisle model, the double of it, and
Ollama's. `make test-engines` holds vLLM to the same.

Each stands behind a relay, so that each can die, fall silent and talk nonsense.
"""

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing

import jsonschema
import pytest

from models.aisle.world import Colour, Scene, Worker, draw
from services.chassis.errors import Internal, InvalidInput, TimedOut, Unavailable
from services.engine.domain import (
    FinishReason,
    Message,
    Picture,
    PictureType,
    Role,
    Sampling,
    Text,
)
from services.engine.machine import EngineKind
from services.engine.ollama import OllamaEngine
from services.engine.openai import OpenAIEngine
from services.engine.ports import Engine
from tests.doubles.engine_llama import llama
from tests.doubles.engine_ollama import ollama_server
from tests.doubles.engine_server import SENTENCE, engine_server
from tests.doubles.relay import Fault, Relay, Trouble, relay

SCENE = Scene(3, Colour.RED, Worker.ABSENT, spill=False, ladder=False)
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}, "clean": {"type": "boolean"}},
    "required": ["count", "clean"],
    "additionalProperties": False,
}
LONG = {"type": "array", "items": {"type": "boolean"}, "minItems": 100, "maxItems": 200}
"""What takes the smallest model a while to write."""
ANSWERS = (SENTENCE, '{"count": 3, "clean": true}')
"""What the doubles say: in words, and by a schema."""
LIKELIEST = Sampling(max_tokens=64, temperature=0)


class Running:
    """An engine, the wire to it, and the means to take away what stands behind."""

    def __init__(self, engine: Engine, wire: Relay, behind: AsyncExitStack) -> None:
        self.engine = engine
        self.wire = wire
        self.behind = behind


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "running" in metafunc.fixturenames:
        real = metafunc.config.pluginmanager.has_plugin("tests.doubles.engine_vllm")
        names = ["vllm"] if real else ["llama", "double", "ollama"]
        metafunc.parametrize("running", names, indirect=True)


@pytest.fixture
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    async with AsyncExitStack() as behind:
        match request.param:
            case "vllm":
                url = request.getfixturevalue("vllm").url
            case "llama":
                url = await behind.enter_async_context(llama())
            case "double":
                server = await behind.enter_async_context(engine_server())
                server.reply = lambda body: ANSWERS["response_format" in body]
                server.dwells = lambda body: "response_format" in body
                url = server.url
            case _:
                ollama = await behind.enter_async_context(ollama_server())
                ollama.reply = lambda body: ANSWERS["format" in body]
                url = ollama.url
        wire = await behind.enter_async_context(relay(url))
        adapter = OllamaEngine if request.param == "ollama" else OpenAIEngine
        async with adapter(wire.url) as engine:
            yield Running(engine, wire, behind)


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


async def test_the_tokens_to_begin_with_are_told_with_their_probabilities_by_who_can(
    engine: Engine,
) -> None:
    sampling = Sampling(max_tokens=1, temperature=0, likeliest=5)
    answer = await engine.complete(ask(DESCRIBE), sampling, timeout=30)
    told = dict(answer.beginnings)
    if not (await engine.capabilities()).likelihoods:
        assert told == {}
        return
    assert 1 <= len(told) <= 5
    assert max(told, key=lambda it: told[it]).strip() == answer.text.strip()
    assert 0 < sum(told.values()) < 1.001


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
    # Ollama chooses the context when it loads the model.
    await engine.complete(ask(DESCRIBE), LIKELIEST, timeout=30)
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


async def test_the_engine_tells_what_it_is_and_what_it_takes(engine: Engine) -> None:
    can = await engine.capabilities()
    assert can.kind is not EngineKind.OPENAI
    assert can.version
    assert can.pictures is None
    assert can.schema


async def test_an_engine_that_counts_counts_a_call_under_way(engine: Engine) -> None:
    idle = await engine.load()
    assert idle.running in (0, None)
    assert idle.waiting in (0, None)
    sampling = Sampling(max_tokens=1_000, temperature=0)
    async with aclosing(
        engine.stream(ask(DESCRIBE), sampling, json_schema=LONG, timeout=30)
    ) as deltas:
        await anext(deltas)
        busy = await engine.load()
    assert busy.running == (None if idle.running is None else 1)


async def test_memory_is_released_and_the_next_answer_is_the_same(engine: Engine) -> None:
    before = await engine.complete(ask(picture(), DESCRIBE), LIKELIEST, timeout=30)
    assert await engine.release_memory()
    after = await engine.complete(ask(picture(), DESCRIBE), LIKELIEST, timeout=30)
    assert after.text == before.text


async def test_releasing_memory_harms_no_answer_under_way(engine: Engine) -> None:
    whole = await engine.complete(ask(picture(), DESCRIBE), LIKELIEST, timeout=30)
    async with aclosing(engine.stream(ask(picture(), DESCRIBE), LIKELIEST, timeout=30)) as deltas:
        first = await anext(deltas)
        await engine.release_memory()
        rest = [it.text async for it in deltas]
    assert first.text + "".join(rest) == whole.text


async def read(engine: Engine, *, timeout: float = 30) -> None:
    async for _ in engine.stream(ask(picture(), DESCRIBE), LIKELIEST, timeout=timeout):
        pass


async def answer(engine: Engine, *, timeout: float = 30) -> None:
    await engine.complete(ask(picture(), DESCRIBE), LIKELIEST, timeout=timeout)


IN_THE_MIDDLE = [(read, 900), (answer, 250)]
"""A call, and the bytes of its answer after which every engine is still at it."""


@pytest.mark.parametrize(("way", "after"), IN_THE_MIDDLE)
async def test_an_answer_that_breaks_off_is_no_answer_and_the_next_is_whole(
    running: Running, way, after: int
) -> None:
    await running.engine.model()
    running.wire.fault = Fault(Trouble.CUT, after)
    with pytest.raises(Unavailable) as refused:
        await way(running.engine)
    assert refused.value.retry_after
    running.wire.fault = None
    await way(running.engine)


@pytest.mark.parametrize(("way", "after"), IN_THE_MIDDLE)
async def test_an_engine_that_falls_silent_is_given_up_in_time(
    running: Running, way, after: int
) -> None:
    await running.engine.model()
    running.wire.fault = Fault(Trouble.SILENCE, after)
    async with asyncio.timeout(10):
        with pytest.raises(TimedOut):
            await way(running.engine, timeout=1)
    running.wire.fault = None
    await way(running.engine)


@pytest.mark.parametrize(("way", "after"), [*IN_THE_MIDDLE, (read, 0), (answer, 0)])
async def test_an_engine_that_talks_nonsense_is_not_believed(
    running: Running, way, after: int
) -> None:
    await running.engine.model()
    running.wire.fault = Fault(Trouble.GARBAGE, after)
    # Nonsense may be read as the length of something that never comes.
    with pytest.raises((Unavailable, Internal, TimedOut)):
        await way(running.engine, timeout=3)
    running.wire.fault = None
    await way(running.engine)


@pytest.mark.parametrize("way", [read, answer])
async def test_connections_that_were_closed_at_rest_are_opened_anew(running: Running, way) -> None:
    await way(running.engine)
    running.wire.drop()
    await way(running.engine)


async def test_tokens_are_counted_or_it_is_told_that_they_are_not(running: Running) -> None:
    kind = (await running.engine.capabilities()).kind
    few = await running.engine.count_tokens("The shelf holds one box.")
    many = await running.engine.count_tokens("The shelf holds one box. " * 50)
    if kind in (EngineKind.LLAMA_CPP, EngineKind.VLLM):
        assert few is not None
        assert many is not None
        assert 0 < few < many
        assert await running.engine.count_tokens("") == 0
    else:
        assert (few, many) == (None, None)
