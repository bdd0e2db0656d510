import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from aiohttp import web

from services.chassis.errors import Exhausted, Internal, InvalidInput, TimedOut, Unavailable
from services.engine.domain import Message, Picture, PictureType, Role, Sampling, Text
from services.engine.errors import MediaRefused
from services.engine.machine import Capabilities, EngineKind, Load, Released
from services.engine.ollama import OllamaEngine
from tests.doubles import engine_ollama as doubles
from tests.doubles import engine_server as faults
from tests.doubles.engine_ollama import OllamaServer, ollama_server
from tests.doubles.pictures import scene_png

SECRET = "a-secret-in-the-prompt"
QUESTION = [Message(Role.USER, (Text(SECRET),))]
PICTURE = Picture(scene_png(), PictureType.PNG)
SAMPLING = Sampling(max_tokens=16)
KNOWN = Capabilities(EngineKind.OLLAMA, "0.40.2", pictures=None, clips=0, schema=True)


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with ollama_server() as running:
        yield running


@pytest.fixture
async def engine(server: OllamaServer) -> AsyncIterator[OllamaEngine]:
    async with OllamaEngine(server.url) as opened:
        yield opened


@pytest.fixture
async def puller(server: OllamaServer) -> AsyncIterator[OllamaEngine]:
    async with OllamaEngine(server.url, model="llava:7b", pull=True) as opened:
        yield opened


async def ask(engine: OllamaEngine) -> str:
    return (await engine.complete(QUESTION, SAMPLING, timeout=10)).text


async def read(engine: OllamaEngine) -> str:
    return "".join([it.text async for it in engine.stream(QUESTION, SAMPLING, timeout=10)])


async def test_the_request_says_what_was_asked_and_nothing_more(
    server: OllamaServer, engine: OllamaEngine
) -> None:
    await ask(engine)
    sampling = Sampling(max_tokens=5, temperature=0, top_p=0.5, seed=0, stop=("end",))
    shown = Message(
        Role.USER, (Text("[0.0 s]"), Picture(b"\xff\xd8x", PictureType.JPEG), Text("?"))
    )
    schema = {"type": "object"}
    await engine.complete([shown], sampling, json_schema=schema, timeout=10)
    plain, full = server.bodies
    assert plain == {
        "model": doubles.MODEL,
        "messages": [{"role": "user", "content": SECRET}],
        "stream": False,
        "truncate": False,
        "shift": False,
        "options": {"num_predict": 16},
    }
    assert full["messages"] == [{"role": "user", "content": "[0.0 s]\n?", "images": ["/9h4"]}]
    assert full["format"] == schema
    assert full["options"] == {
        "num_predict": 5,
        "temperature": 0,
        "top_p": 0.5,
        "seed": 0,
        "stop": ["end"],
    }


@pytest.mark.parametrize(
    ("version", "can", "known"),
    [
        ("0.40.2", ["completion", "vision"], KNOWN),
        ("0.40.2", ["completion"], Capabilities(EngineKind.OLLAMA, "0.40.2", 0, 0, schema=True)),
        ("0.5.0-rc1", None, Capabilities(EngineKind.OLLAMA, "0.5.0-rc1", schema=True)),
        ("0.4.7", None, Capabilities(EngineKind.OLLAMA, "0.4.7", schema=False)),
        ("odd", None, Capabilities(EngineKind.OLLAMA, "odd", schema=False)),
    ],
)
async def test_it_tells_what_it_and_its_model_can(
    server: OllamaServer,
    engine: OllamaEngine,
    version: str,
    can: list[str] | None,
    known: Capabilities,
) -> None:
    server.version, server.capabilities = version, can
    assert await engine.capabilities() == known


async def test_a_blind_model_that_did_not_say_so_is_known_from_its_refusal(
    server: OllamaServer, engine: OllamaEngine
) -> None:
    assert (await engine.capabilities()).pictures is None
    server.capabilities = ["completion"]
    with pytest.raises(MediaRefused) as refused:
        await engine.complete([Message(Role.USER, (PICTURE,))], SAMPLING, timeout=10)
    assert refused.value.message == "the model does not see"
    assert (await engine.capabilities()).pictures == 0


async def test_what_a_model_holds_is_told_while_it_is_loaded(
    server: OllamaServer, engine: OllamaEngine
) -> None:
    assert await engine.load() == Load(memory_bytes=0, device_memory_bytes=0)
    assert await engine.release_memory() == ()
    await ask(engine)
    held = Load(memory_bytes=doubles.MODEL_BYTES, device_memory_bytes=doubles.DEVICE_BYTES)
    assert await engine.load() == held
    assert await engine.release_memory() == (Released.MODEL,)
    assert server.loaded is None


@pytest.mark.parametrize(
    ("status", "said", "kind", "code"),
    [
        (400, "the input length exceeds the context length", InvalidInput, "CONTEXT_EXCEEDED"),
        (400, f"invalid {SECRET}", InvalidInput, "ENGINE_REFUSED"),
        (404, "model 'x' not found", Internal, "ENGINE_NOT_FOUND"),
        (500, SECRET, Internal, "ENGINE_FAILED"),
        (503, "server busy, please try again", Unavailable, "UNAVAILABLE"),
        (429, "too many requests", Exhausted, "EXHAUSTED"),
    ],
)
@pytest.mark.parametrize("call", [ask, read])
async def test_each_refusal_has_its_error(
    server: OllamaServer, engine: OllamaEngine, call, status: int, said: str, kind, code: str
) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return doubles.refused(status, said)

    server.faults.append(refuse)
    with pytest.raises(kind) as refused:
        await call(engine)
    assert refused.value.code == code
    assert SECRET not in str(refused.value)


async def test_an_error_in_the_middle_of_a_stream_is_raised(
    server: OllamaServer, engine: OllamaEngine
) -> None:
    server.faults.append(doubles.fail_in_the_middle)
    with pytest.raises(Internal) as refused:
        await read(engine)
    assert refused.value.code == "ENGINE_FAILED"


async def test_a_stream_that_ends_before_it_is_done_is_no_whole_answer(
    server: OllamaServer, engine: OllamaEngine
) -> None:
    server.faults.append(doubles.end_early)
    with pytest.raises(Unavailable):
        await read(engine)


@pytest.mark.parametrize(
    "body", ["not json", "[]", '{"message":{"content":7}}', '{"message":{"content":"a"}}']
)
async def test_what_is_not_its_protocol_is_not_believed(
    server: OllamaServer, engine: OllamaEngine, body: str
) -> None:
    server.faults.append(faults.answer_with(200, body))
    with pytest.raises(Internal) as refused:
        await ask(engine)
    assert refused.value.code == "ENGINE_PROTOCOL"


async def test_a_hang_is_given_up_in_time(server: OllamaServer, engine: OllamaEngine) -> None:
    server.faults.append(faults.hang)
    with pytest.raises(TimedOut):
        await engine.complete(QUESTION, SAMPLING, timeout=0.1)


async def test_leaving_a_stream_closes_its_connection(
    server: OllamaServer, engine: OllamaEngine
) -> None:
    left = asyncio.Event()

    async def stay(request: web.Request) -> web.StreamResponse:
        response = await doubles.start_lines(request)
        await doubles.send_line(response, {"message": {"content": "The "}, "done": False})
        try:
            return await faults.hang(request)
        finally:
            left.set()

    server.faults.append(stay)
    async with aclosing(engine.stream(QUESTION, SAMPLING, timeout=10)) as deltas:
        assert (await anext(deltas)).text == "The "
    async with asyncio.timeout(5):
        await left.wait()


async def test_a_model_without_a_tag_is_the_latest(server: OllamaServer) -> None:
    async with OllamaEngine(server.url, model="double") as engine:
        await ask(engine)
        assert (await engine.model()).name == "double:latest"


@pytest.mark.parametrize("model", ["llava:7b", ""])
async def test_a_model_that_is_not_there_is_missed_with_a_remedy(
    server: OllamaServer, model: str
) -> None:
    server.models = []
    async with OllamaEngine(server.url, model=model) as engine:
        for call in (ask, read):
            with pytest.raises(Unavailable) as refused:
                await call(engine)
            assert "ollama pull" in refused.value.remedy
        with pytest.raises(Unavailable):
            await engine.check()
    assert server.pulls == []


async def until_there(engine: OllamaEngine) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                return await engine.check()
            except Unavailable:
                await asyncio.sleep(0)


async def test_a_model_that_is_not_there_is_fetched_once_and_then_answers(
    server: OllamaServer, puller: OllamaEngine
) -> None:
    server.pull_release = asyncio.Event()
    for _ in range(3):
        with pytest.raises(Unavailable) as refused:
            await puller.check()
        assert refused.value.message == "the engine is fetching the room's model"
        assert refused.value.retry_after
    server.pull_release.set()
    await until_there(puller)
    assert server.pulls == [{"model": "llava:7b", "stream": False}]
    assert await ask(puller) == doubles.SENTENCE


async def test_a_model_that_cannot_be_fetched_is_not_asked_for_again_at_once(
    server: OllamaServer, puller: OllamaEngine
) -> None:
    server.pull = lambda body: doubles.refused(500, "pull model manifest: file does not exist")
    async with asyncio.timeout(5):
        while True:
            with pytest.raises(Unavailable) as refused:
                await puller.check()
            if refused.value.message == "the engine could not fetch the room's model":
                break
    assert refused.value.remedy
    assert len(server.pulls) == 1


async def test_a_fetch_ends_with_who_asked_for_it(server: OllamaServer) -> None:
    server.pull_release = asyncio.Event()
    async with OllamaEngine(server.url, model="llava:7b", pull=True) as engine:
        with pytest.raises(Unavailable):
            await engine.check()


async def test_an_address_where_nobody_listens_is_unavailable() -> None:
    async with OllamaEngine("http://127.0.0.1:1") as engine:
        with pytest.raises(Unavailable) as refused:
            await engine.check()
    assert refused.value.retry_after
