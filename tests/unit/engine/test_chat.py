import asyncio
import time
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import pytest

from services.chassis import call
from services.chassis.errors import InvalidInput, TimedOut, Unavailable
from services.engine.chat import Chat, require_question
from services.engine.config import EngineConfig
from services.engine.domain import (
    Clip,
    Frame,
    Message,
    Picture,
    PictureType,
    Role,
    Sampling,
    Text,
    Turn,
)
from services.engine.limit import Limit
from services.engine.machine import Capabilities, EngineKind, Load
from services.engine.openai import OpenAIEngine
from tests.doubles import engine_server as faults
from tests.doubles.engine_server import EngineServer, engine_server

QUESTION = [Message(Role.USER, (Text("?"),))]
JPEG = Picture(b"\xff\xd8x", PictureType.JPEG)
VIDEO = [Message(Role.USER, (Clip(tuple(Frame(JPEG, it / 2) for it in range(9))), Text("?")))]


@pytest.fixture
async def server() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@pytest.fixture
async def chat(server: EngineServer) -> AsyncIterator[Chat]:
    config = EngineConfig(
        listen="127.0.0.1:0", engine_url=server.url, max_tokens=7, engine_seconds=0.2, model="m"
    )
    async with OpenAIEngine(server.url) as engine:
        yield Chat(engine, config)


async def test_the_room_limits_the_tokens_where_the_caller_does_not(
    chat: Chat, server: EngineServer
) -> None:
    await chat.ask(QUESTION, Sampling())
    await chat.ask(QUESTION, Sampling(max_tokens=9))
    assert [it["max_tokens"] for it in server.bodies] == [7, 9]


async def test_a_stream_is_asked_for_within_the_same_bounds(
    chat: Chat, server: EngineServer
) -> None:
    assert [it async for it in chat.stream(QUESTION, Sampling())][-1].output_tokens == 7
    assert server.bodies[0]["max_tokens"] == 7


@pytest.mark.parametrize("fault", [faults.hang, faults.stream_then_hang])
@pytest.mark.parametrize("deadline", [None, 60.0])
async def test_the_room_limits_the_time_where_the_caller_does_not(
    chat: Chat, server: EngineServer, deadline: float | None, fault: faults.Fault
) -> None:
    server.faults.extend([fault] * 2)
    with call.use(call.Call(deadline=deadline and time.monotonic() + deadline)):
        async with asyncio.timeout(5):
            with pytest.raises(TimedOut):
                await chat.ask(QUESTION, Sampling())
            with pytest.raises(TimedOut):
                _ = [it async for it in chat.stream(QUESTION, Sampling())]


async def test_a_call_whose_deadline_has_passed_is_not_made(
    chat: Chat, server: EngineServer
) -> None:
    with call.use(call.Call(deadline=time.monotonic())), pytest.raises(TimedOut):
        await chat.ask(QUESTION, Sampling())
    assert server.bodies == []


async def test_a_model_whose_engine_is_down_is_told_as_configured_and_not_ready(
    chat: Chat, server: EngineServer
) -> None:
    server.models_fault = faults.answer_with(503)
    model = await chat.model()
    assert (model.info.name, model.ready) == ("m", False)
    with pytest.raises(Unavailable):
        await chat.check()


async def ask(chat: Chat) -> None:
    await chat.ask(VIDEO, Sampling())


async def stream(chat: Chat) -> None:
    _ = [it async for it in chat.stream(VIDEO, Sampling())]


def kinds(body: faults.Body) -> list[str]:
    return [part["type"] for part in body["messages"][0]["content"]]


FRAMES = ["text", "image_url"] * 9 + ["text"]


@pytest.mark.parametrize("way", [ask, stream])
async def test_a_video_goes_whole_to_an_engine_that_takes_it(
    chat: Chat, server: EngineServer, way
) -> None:
    server.program.owner = "vllm"
    await way(chat)
    assert [kinds(it) for it in server.bodies] == [["text", "video_url", "text"]]


@pytest.mark.parametrize("way", [ask, stream])
async def test_a_video_goes_as_timed_frames_to_an_engine_that_takes_none(
    chat: Chat, server: EngineServer, way
) -> None:
    await way(chat)
    assert [kinds(it) for it in server.bodies] == [FRAMES]


@pytest.mark.parametrize("way", [ask, stream])
async def test_an_engine_that_refuses_a_video_is_shown_what_it_takes_and_then_at_once(
    chat: Chat, server: EngineServer, way
) -> None:
    server.program.owner, server.program.most = "vllm", {"image": 3, "video": 0}
    await way(chat)
    thinned = ["text", "image_url"] * 3 + ["text"]
    assert [kinds(it) for it in server.bodies] == [["text", "video_url", "text"], FRAMES, thinned]
    await way(chat)
    assert kinds(server.bodies[3]) == thinned


@pytest.mark.parametrize("way", [ask, stream])
async def test_a_refusal_that_nothing_can_be_done_about_is_told(
    chat: Chat, server: EngineServer, way
) -> None:
    server.program.owner, server.program.most = "vllm", {"image": 0, "video": 0}
    with pytest.raises(InvalidInput) as refused:
        await way(chat)
    assert refused.value.message == "the model does not see"


async def test_the_model_is_told_with_what_its_engine_takes(
    chat: Chat, server: EngineServer
) -> None:
    server.program.owner = "vllm"
    model = await chat.model()
    assert (model.ready, model.can.kind, model.can.clips) == (True, EngineKind.VLLM, None)


@pytest.mark.parametrize("answer", [Load(waiting=7), Unavailable("no metrics")])
async def test_an_engine_is_asked_how_many_wait_inside_it_while_calls_wait_outside(
    server: EngineServer, monkeypatch: pytest.MonkeyPatch, answer: Load | Unavailable
) -> None:
    told: list[int | None] = []
    monkeypatch.setattr(Limit, "told", lambda _, waiting: told.append(waiting))
    config = EngineConfig(listen="127.0.0.1:0", engine_url=server.url, engine_calls=1)
    async with OpenAIEngine(server.url) as engine:
        monkeypatch.setattr(engine, "load", AsyncMock(side_effect=[answer]))
        chat = Chat(engine, config)
        async with chat.turn(1):
            await chat.check()
            assert told == []
            waiter = asyncio.create_task(_pass(chat))
            await asyncio.sleep(0)
            await chat.check()
        await waiter
    assert told == ([7] if isinstance(answer, Load) else [])


async def test_an_engine_that_says_its_slots_is_taken_at_its_word(
    server: EngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int | None] = []
    monkeypatch.setattr(Limit, "serves", lambda _, slots: told.append(slots))
    config = EngineConfig(listen="127.0.0.1:0", engine_url=server.url)
    async with OpenAIEngine(server.url) as engine:
        chat = Chat(engine, config)
        await chat.check()
        monkeypatch.setattr(engine, "capabilities", AsyncMock(side_effect=[Capabilities()]))
        await chat.check()
        monkeypatch.setattr(engine, "capabilities", AsyncMock(side_effect=Unavailable("gone")))
        await chat.check()
    assert told == [2, None]


async def _pass(chat: Chat) -> None:
    async with chat.turn(1):
        pass


def test_a_conversation_must_end_with_the_user() -> None:
    user, model = Turn(Role.USER, ("?",)), Turn(Role.ASSISTANT, ("!",))
    require_question([user, model, user])
    with pytest.raises(InvalidInput) as refused:
        require_question([user, model])
    assert refused.value.violations[0].field == "messages[1].role"
