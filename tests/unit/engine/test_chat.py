import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from services.chassis import call
from services.chassis.errors import InvalidInput, TimedOut, Unavailable
from services.engine.chat import Chat, require_question
from services.engine.config import EngineConfig
from services.engine.domain import Message, Role, Sampling, Text, Turn
from services.engine.openai import OpenAIEngine
from tests.doubles import engine_server as faults
from tests.doubles.engine_server import EngineServer, engine_server

QUESTION = [Message(Role.USER, (Text("?"),))]


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


def test_a_conversation_must_end_with_the_user() -> None:
    user, model = Turn(Role.USER, ("?",)), Turn(Role.ASSISTANT, ("!",))
    require_question([user, model, user])
    with pytest.raises(InvalidInput) as refused:
        require_question([user, model])
    assert refused.value.violations[0].field == "messages[1].role"
