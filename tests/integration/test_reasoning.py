"""The reasoning room over a real channel, with the double of an engine, and once a real one."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status
from mesh.reasoning.v1 import reasoning_service_pb2 as pb
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as pb_grpc
from mesh.types.v1 import chat_pb2, image_pb2

from sensorium.weights import store
from services.chassis import client
from services.chassis.errors import InvalidInput, Precondition
from tests.doubles.chat_rooms import reasoning_room
from tests.doubles.engine_llama import free_port, llama
from tests.doubles.engine_server import MODEL, SENTENCE, EngineServer, engine_server
from tests.doubles.pictures import scene_png

SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "enum": ["red", "green", "blue"]},
        "boxes": {"type": "integer", "minimum": 0, "maximum": 9},
    },
    "required": ["colour", "boxes"],
    "additionalProperties": False,
}


@pytest.fixture
async def engine() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@pytest.fixture
async def room(engine: EngineServer) -> AsyncIterator[pb_grpc.ReasoningServiceStub]:
    async with reasoning_room(engine.url) as address, client.channel(address) as channel:
        yield pb_grpc.ReasoningServiceStub(channel)


def question(text: str) -> list[chat_pb2.Message]:
    return [chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.Part(text=text)])]


async def test_a_conversation_is_answered(room: pb_grpc.ReasoningServiceStub) -> None:
    response = await client.call(room.Generate, pb.GenerateRequest(messages=question("What?")))
    assert response.text == SENTENCE
    assert response.finish_reason == chat_pb2.FINISH_REASON_STOP
    assert response.model == MODEL
    assert response.usage.output_tokens == len(SENTENCE.split())


async def test_an_object_is_extracted(
    room: pb_grpc.ReasoningServiceStub, engine: EngineServer
) -> None:
    engine.reply = lambda body: '{"colour": "red", "boxes": 3}'
    request = pb.ExtractRequest(messages=question("What?"), json_schema=json.dumps(SCHEMA))
    response = await client.call(room.Extract, request)
    assert json_format.MessageToDict(response.value) == {"colour": "red", "boxes": 3}
    assert engine.bodies[0]["temperature"] == 0


async def test_answers_are_weighed(
    room: pb_grpc.ReasoningServiceStub, engine: EngineServer
) -> None:
    engine.beginnings = lambda body: {"Yes": 0.6, "no": 0.2}
    request = pb.ChooseRequest(messages=question("Is snow white?"), answers=["yes", "no"])
    response = await client.call(room.Choose, request)
    assert list(response.probabilities) == pytest.approx([0.75, 0.25])
    assert response.weighed
    assert response.model == MODEL


@pytest.mark.parametrize("answers", [[], ["yes"], ["yes", "yes"], ["yes", ""]])
async def test_answers_between_which_nothing_can_be_chosen_are_refused(
    room: pb_grpc.ReasoningServiceStub, answers: list[str]
) -> None:
    request = pb.ChooseRequest(messages=question("Is snow white?"), answers=answers)
    with pytest.raises(InvalidInput):
        await client.call(room.Choose, request)


async def test_an_object_that_was_cut_is_told_as_a_failed_precondition(
    room: pb_grpc.ReasoningServiceStub,
) -> None:
    request = pb.ExtractRequest(
        messages=question("What?"),
        json_schema=json.dumps(SCHEMA),
        sampling=chat_pb2.Sampling(max_tokens=1),
    )
    with pytest.raises(Precondition) as refused:
        await client.call(room.Extract, request)
    assert refused.value.code == "ANSWER_CUT"


@pytest.mark.parametrize("schema", ["{}", "not json", '{"type": "object", "required": 1}'])
async def test_a_schema_that_is_none_is_refused_by_its_field(
    room: pb_grpc.ReasoningServiceStub, schema: str
) -> None:
    request = pb.ExtractRequest(messages=question("What?"), json_schema=schema)
    with pytest.raises(InvalidInput) as refused:
        await client.call(room.Extract, request)
    assert refused.value.violations[0].field == "json_schema"


async def test_a_picture_is_refused_by_its_place(
    room: pb_grpc.ReasoningServiceStub, engine: EngineServer
) -> None:
    part = chat_pb2.Part(image=image_pb2.Image(data=scene_png()))
    messages = [chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[part])]
    with pytest.raises(InvalidInput) as refused:
        await client.call(room.Generate, pb.GenerateRequest(messages=messages))
    assert refused.value.violations[0].field == "messages[0].parts[0].image"
    assert engine.bodies == []


async def test_an_engine_that_is_down_is_unavailable_with_a_time_to_try_again() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    async with reasoning_room(nowhere) as address, client.channel(address) as channel:
        room = pb_grpc.ReasoningServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await room.Generate(pb.GenerateRequest(messages=question("What?")))
        model = (await client.call(room.GetModel, pb.GetModelRequest())).model
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    status = rpc_status.from_call(failed.value)
    retry = RetryInfo()
    assert status is not None
    assert any(detail.Unpack(retry) for detail in status.details)
    assert retry.retry_delay.seconds >= 1
    assert model.ready is False


@pytest.fixture
async def small_model() -> Path:
    return await asyncio.to_thread(store.ensure, "language-0.5b") / "model.gguf"


@pytest.mark.timeout(300)
async def test_a_real_model_answers_and_extracts_what_it_was_told(
    small_model: Path,
) -> None:
    said = "The shelf holds 3 boxes. They are red. Say how many boxes there are and their colour."
    async with (
        llama(small_model, None, alias="language-0.5b", threads=2, start_seconds=60) as url,
        reasoning_room(url) as address,
        client.channel(address) as channel,
    ):
        room = pb_grpc.ReasoningServiceStub(channel)
        asked = pb.GenerateRequest(
            messages=question("What colour is a clear daytime sky? Answer in one word."),
            sampling=chat_pb2.Sampling(max_tokens=8, temperature=0),
        )
        answered = await client.call(room.Generate, asked)
        streamed = pb.GenerateStreamRequest(messages=asked.messages, sampling=asked.sampling)
        pieces = [it async for it in client.stream(room.GenerateStream, streamed)]
        request = pb.ExtractRequest(messages=question(said), json_schema=json.dumps(SCHEMA))
        extracted = await client.call(room.Extract, request)
    assert "blue" in answered.text.lower()
    assert "".join(it.delta for it in pieces) == answered.text
    assert pieces[-1].usage.output_tokens == answered.usage.output_tokens
    assert json_format.MessageToDict(extracted.value) == {"colour": "red", "boxes": 3}
