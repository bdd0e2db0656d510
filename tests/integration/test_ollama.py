"""The rooms that chat over an Ollama, which its server double stands for."""

from collections.abc import AsyncIterator

import grpc
import pytest
from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as reasoning_grpc
from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc

from services.chassis import client
from tests.doubles.chat_rooms import reasoning_room, vision_room
from tests.doubles.engine_ollama import CONTEXT_TOKENS, MODEL, OllamaServer, ollama_server
from tests.doubles.engine_server import SENTENCE
from tests.doubles.pictures import scene_png


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with ollama_server() as running:
        yield running


async def test_the_vision_room_describes_and_tells_what_its_model_takes(
    server: OllamaServer,
) -> None:
    async with (
        vision_room(server.url, engine="ollama", model=MODEL) as address,
        client.channel(address) as channel,
    ):
        stub = pb_grpc.VisionServiceStub(channel)
        request = pb.DescribeRequest(image=image_pb2.Image(data=scene_png()))
        assert (await client.call(stub.Describe, request)).description == SENTENCE
        assert len(server.bodies[0]["messages"][-1]["images"]) == 1
        model = (await client.call(stub.GetModel, pb.GetModelRequest())).model
    assert (model.name, model.engine, model.ready) == (MODEL, "ollama", True)
    assert model.context_tokens == CONTEXT_TOKENS
    assert (model.native_video, model.structured_output, model.max_images) == (False, True, 0)


async def test_a_blind_model_refuses_pictures_before_it_is_asked(server: OllamaServer) -> None:
    server.capabilities = ["completion"]
    async with (
        vision_room(server.url, engine="ollama") as address,
        client.channel(address) as channel,
    ):
        stub = pb_grpc.VisionServiceStub(channel)
        request = pb.DescribeRequest(image=image_pb2.Image(data=scene_png()))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Describe(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == (
        "the model does not see; send text alone, or ask another model"
    )
    assert server.bodies == []


async def test_the_reasoning_room_streams(server: OllamaServer) -> None:
    question = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.Part(text="Why?")])
    async with (
        reasoning_room(server.url, engine="ollama") as address,
        client.channel(address) as channel,
    ):
        stub = reasoning_grpc.ReasoningServiceStub(channel)
        request = reasoning_pb.GenerateStreamRequest(messages=[question])
        *pieces, last = [it async for it in client.stream(stub.GenerateStream, request)]
    assert "".join(it.delta for it in pieces) == SENTENCE
    assert last.model == MODEL
