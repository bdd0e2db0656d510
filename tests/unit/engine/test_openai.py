import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

import pytest

from services.chassis.errors import (
    Exhausted,
    Internal,
    InvalidInput,
    MeshError,
    TimedOut,
    Unavailable,
)
from services.engine.domain import Message, Picture, PictureType, Role, Sampling, Text
from services.engine.openai import OpenAIEngine
from tests.doubles import engine_server as faults
from tests.doubles.engine_server import EngineServer, engine_server

SECRET = "a-secret-in-the-prompt"
QUESTION = [Message(Role.USER, (Text(SECRET),))]
SAMPLING = Sampling(max_tokens=16)


@pytest.fixture
async def server() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@pytest.fixture
async def engine(server: EngineServer) -> AsyncIterator[OpenAIEngine]:
    async with OpenAIEngine(server.url, api_key="k") as opened:
        yield opened


async def ask(engine: OpenAIEngine, *, timeout: float = 10) -> str:
    return (await engine.complete(QUESTION, SAMPLING, timeout=timeout)).text


async def read(engine: OpenAIEngine, *, timeout: float = 10) -> str:
    return "".join([it.text async for it in engine.stream(QUESTION, SAMPLING, timeout=timeout)])


@pytest.mark.parametrize("call", [ask, read])
@pytest.mark.parametrize("closed", [1, 2])
async def test_a_connection_closed_before_the_answer_is_tried_afresh(
    server: EngineServer, engine: OpenAIEngine, call, closed: int
) -> None:
    await ask(engine)
    server.faults.extend([faults.close_connection] * closed)
    assert await call(engine) == faults.SENTENCE
    assert len(server.bodies) == 2 + closed


async def test_an_engine_that_always_closes_is_tried_three_times(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    server.faults.extend([faults.close_connection] * 9)
    with pytest.raises(Unavailable) as refused:
        await ask(engine)
    assert refused.value.retry_after == timedelta(seconds=1)
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, '{"error":{"type":"exceed_context_size_error"}}', InvalidInput, "CONTEXT_EXCEEDED"),
        (400, '{"error":{"code":"context_length_exceeded"}}', InvalidInput, "CONTEXT_EXCEEDED"),
        (400, "This model's maximum context length is 9", InvalidInput, "CONTEXT_EXCEEDED"),
        (400, SECRET, InvalidInput, "ENGINE_REFUSED"),
        (413, "", InvalidInput, "ENGINE_REFUSED"),
        (422, "", InvalidInput, "ENGINE_REFUSED"),
        (401, "", Internal, "ENGINE_KEY"),
        (403, "", Internal, "ENGINE_KEY"),
        (404, "", Internal, "ENGINE_NOT_FOUND"),
        (302, "", Internal, "ENGINE_FAILED"),
        (500, SECRET, Internal, "ENGINE_FAILED"),
        (502, "", Unavailable, "UNAVAILABLE"),
        (503, SECRET, Unavailable, "UNAVAILABLE"),
        (504, "", Unavailable, "UNAVAILABLE"),
        (429, "", Exhausted, "EXHAUSTED"),
        (200, "not json", Internal, "ENGINE_PROTOCOL"),
        (200, '{"choices":[]}', Internal, "ENGINE_PROTOCOL"),
        (200, '{"choices":[{"message":{"content":7}}]}', Internal, "ENGINE_PROTOCOL"),
    ],
)
async def test_each_refusal_has_its_error(
    server: EngineServer,
    engine: OpenAIEngine,
    status: int,
    body: str,
    kind: type[MeshError],
    code: str,
) -> None:
    server.faults.append(faults.answer_with(status, body))
    with pytest.raises(kind) as refused:
        await ask(engine)
    assert refused.value.code == code
    assert SECRET not in str(refused.value)
    assert "127.0.0.1" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7), ("99999999999", 3600), ("soon", 1), ("-3", 1), ("", 1)]
)
@pytest.mark.parametrize("status", [429, 503])
async def test_the_engine_says_when_to_try_again(
    server: EngineServer, engine: OpenAIEngine, status: int, said: str, seconds: int
) -> None:
    server.faults.append(faults.answer_with(status, headers={"Retry-After": said}))
    with pytest.raises((Exhausted, Unavailable)) as refused:
        await ask(engine)
    assert refused.value.retry_after == timedelta(seconds=seconds)


async def test_a_redirect_is_not_followed(server: EngineServer, engine: OpenAIEngine) -> None:
    elsewhere = {"Location": f"{server.url}/chat/completions"}
    server.faults.append(faults.answer_with(307, headers=elsewhere))
    with pytest.raises(Internal):
        await ask(engine)
    assert len(server.bodies) == 1


@pytest.mark.parametrize("call", [ask, read])
async def test_an_engine_that_hangs_is_given_up_in_time(
    server: EngineServer, engine: OpenAIEngine, call
) -> None:
    server.faults.append(faults.hang)
    async with asyncio.timeout(5):
        with pytest.raises(TimedOut):
            await call(engine, timeout=0.1)
        await server.hung_up.wait()


async def test_a_stream_that_falls_silent_is_given_up_in_time(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    server.faults.append(faults.stream_then_hang)
    async with asyncio.timeout(5):
        with pytest.raises(TimedOut):
            await read(engine, timeout=0.2)


@pytest.mark.parametrize("fault", [faults.cut_stream, faults.end_stream_early])
async def test_a_stream_that_is_cut_is_no_whole_answer(
    server: EngineServer, engine: OpenAIEngine, fault: faults.Fault
) -> None:
    server.faults.append(fault)
    with pytest.raises(Unavailable):
        await read(engine)


@pytest.mark.parametrize(
    ("call", "fault"), [(ask, faults.huge_body), (read, faults.huge_line), (read, faults.huge_body)]
)
async def test_an_answer_without_end_is_not_read(
    server: EngineServer, engine: OpenAIEngine, call, fault: faults.Fault
) -> None:
    server.faults.append(fault)
    with pytest.raises(Internal) as refused:
        await call(engine)
    assert refused.value.code == "ENGINE_PROTOCOL"


async def test_an_error_in_the_middle_of_a_stream_is_raised(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    event = 'data: {"error":{"code":503,"message":"' + SECRET + '"}}\n\n'
    server.faults.append(faults.answer_with(200, event))
    with pytest.raises(Unavailable) as refused:
        await read(engine)
    assert SECRET not in str(refused.value)


async def test_comments_and_spaces_of_a_stream_are_passed_over(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    events = (
        ": waiting\r\n\r\n"
        'data:{"choices":[{"delta":{"content":"a"},"finish_reason":"odd"}]}\r\n\r\n'
        "event: x\ndata: [DONE]\n\n"
    )
    server.faults.append(faults.answer_with(200, events))
    deltas = [it async for it in engine.stream(QUESTION, SAMPLING, timeout=10)]
    assert [it.text for it in deltas] == ["a", ""]
    assert deltas[-1].finish_reason == "unknown"


async def test_leaving_a_stream_closes_its_connection(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    server.faults.append(faults.stream_then_hang)
    async with aclosing(engine.stream(QUESTION, SAMPLING, timeout=10)) as deltas:
        assert (await anext(deltas)).text == "The "
    async with asyncio.timeout(5):
        await server.hung_up.wait()


async def test_cancelling_a_call_closes_its_connection(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    server.release = asyncio.Event()
    call = asyncio.create_task(ask(engine))
    async with asyncio.timeout(5):
        await server.chatting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.hung_up.wait()


async def test_the_request_says_what_was_asked_and_nothing_more(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    await ask(engine)
    picture = Picture(b"\xff\xd8x", PictureType.JPEG)
    sampling = Sampling(max_tokens=5, temperature=0, top_p=0.5, seed=0, stop=("end",))
    await engine.complete([Message(Role.USER, (picture, Text("?")))], sampling, timeout=10)
    plain, full = server.bodies
    assert plain == {
        "model": faults.MODEL,
        "max_tokens": 16,
        "messages": [{"role": "user", "content": SECRET}],
    }
    assert full | {"messages": []} == {
        "model": faults.MODEL,
        "max_tokens": 5,
        "temperature": 0,
        "top_p": 0.5,
        "seed": 0,
        "stop": ["end"],
        "messages": [],
    }
    url = {"url": "data:image/jpeg;base64,/9h4"}
    assert full["messages"][0]["content"] == [
        {"type": "image_url", "image_url": url},
        {"type": "text", "text": "?"},
    ]
    assert server.headers[0]["Authorization"] == "Bearer k"


async def test_without_a_key_none_is_sent(server: EngineServer) -> None:
    async with OpenAIEngine(server.url) as engine:
        await ask(engine)
    assert "Authorization" not in server.headers[0]


async def test_a_model_that_is_not_listed_is_asked_for_all_the_same(server: EngineServer) -> None:
    async with OpenAIEngine(server.url, model="other:latest") as engine:
        await ask(engine)
        assert (await engine.model()).name == "other:latest"
    assert server.bodies[0]["model"] == "other:latest"


async def test_what_was_said_and_shown_stays_out_of_logs_and_reprs(
    server: EngineServer, engine: OpenAIEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "services")
    server.faults.append(faults.answer_with(400, SECRET))
    with pytest.raises(InvalidInput):
        await ask(engine)
    assert SECRET not in caplog.text
    assert SECRET not in repr(QUESTION)
    assert "xyz" not in repr(Picture(b"xyz", PictureType.PNG))


async def test_an_address_where_nobody_listens_is_unavailable() -> None:
    async with OpenAIEngine("http://127.0.0.1:1/v1") as engine:
        with pytest.raises(Unavailable) as refused:
            await engine.check()
    assert refused.value.retry_after


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_an_engine_that_does_not_list_its_models_is_unavailable(
    server: EngineServer, engine: OpenAIEngine, status: int
) -> None:
    server.models_fault = faults.answer_with(status)
    with pytest.raises(Unavailable):
        await engine.check()
