"""The vision room over a real channel, with llama.cpp and the aisle model behind it."""

from collections.abc import AsyncIterator

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc

from models.aisle.world import Colour, Scene, Worker, scene_from_caption
from services.chassis import client
from services.chassis.errors import InvalidInput, Unavailable, Unimplemented
from tests.doubles.chat_rooms import VISION, vision_room
from tests.doubles.engine_llama import ALIAS, free_port, llama
from tests.doubles.pictures import BAD_PICTURES, CLEAR_SCENE, scene_png


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    async with llama() as url, vision_room(url) as address, client.channel(address) as opened:
        yield opened


@pytest.fixture
async def lonely() -> AsyncIterator[grpc.aio.Channel]:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    async with vision_room(nowhere) as address, client.channel(address) as opened:
        yield opened


def question(*parts: str | bytes) -> pb.GenerateRequest:
    written = [
        chat_pb2.Part(text=it)
        if isinstance(it, str)
        else chat_pb2.Part(image=image_pb2.Image(data=it))
        for it in parts
    ]
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=written)
    return pb.GenerateRequest(
        messages=[message], sampling=chat_pb2.Sampling(max_tokens=64, temperature=0)
    )


@pytest.mark.parametrize(
    "scene",
    [
        CLEAR_SCENE,
        Scene(0, None, Worker.ABSENT, spill=False, ladder=False),
        Scene(1, Colour.BLUE, Worker.STANDING, spill=False, ladder=True),
    ],
    ids=lambda it: it.caption,
)
async def test_a_drawn_scene_gets_its_true_caption(channel: grpc.aio.Channel, scene: Scene) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    request = pb.DescribeRequest(image=image_pb2.Image(data=scene_png(scene)))
    response = await client.call(stub.Describe, request)
    assert response.description == scene.caption
    assert (response.width, response.height) == (140, 112)
    assert response.model == ALIAS
    assert response.usage.input_tokens > 20
    assert response.usage.output_tokens > 5
    assert 0 < response.usage.processing_time.ToTimedelta().total_seconds() < 30


async def test_an_upload_is_described_whatever_it_says_of_itself(
    channel: grpc.aio.Channel,
) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    body = HttpBody(content_type="text/plain", data=scene_png())
    response = await client.call(stub.DescribeUpload, pb.DescribeUploadRequest(image=body))
    assert response.description == CLEAR_SCENE.caption


async def test_a_conversation_with_a_picture_is_answered(channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    request = question(scene_png(), "Describe this image.")
    response = await client.call(stub.Generate, request)
    assert scene_from_caption(response.text) == CLEAR_SCENE
    assert response.finish_reason == chat_pb2.FINISH_REASON_STOP


async def test_a_stream_says_what_the_whole_answer_says(channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    asked = question(scene_png(), "Describe this image.")
    whole = await client.call(stub.Generate, asked)
    request = pb.GenerateStreamRequest(messages=asked.messages, sampling=asked.sampling)
    *pieces, last = [it async for it in client.stream(stub.GenerateStream, request)]
    assert len(pieces) > 1
    assert "".join(it.delta for it in pieces) == whole.text
    assert (last.finish_reason, last.model) == (whole.finish_reason, ALIAS)
    assert last.usage.output_tokens == whole.usage.output_tokens
    assert last.usage.input_tokens == whole.usage.input_tokens


async def test_the_model_is_told_and_the_room_is_healthy(channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    model = (await client.call(stub.GetModel, pb.GetModelRequest())).model
    assert (model.name, model.engine, model.ready) == (ALIAS, "llama.cpp", True)
    assert model.context_tokens > 0
    assert await first_health(channel) == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(("data", "code"), BAD_PICTURES.values(), ids=BAD_PICTURES.keys())
async def test_a_bad_picture_is_refused_before_the_engine_is_asked(
    lonely: grpc.aio.Channel, data: bytes, code: str
) -> None:
    stub = pb_grpc.VisionServiceStub(lonely)
    request = pb.DescribeUploadRequest(image=HttpBody(content_type="image/png", data=data))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.DescribeUpload(request)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(failed.value, ErrorInfo).reason == code
    assert [it.field for it in details(failed.value, BadRequest).field_violations] == ["image"]


async def test_a_bad_picture_of_a_conversation_is_named_by_its_place(
    lonely: grpc.aio.Channel,
) -> None:
    stub = pb_grpc.VisionServiceStub(lonely)
    asked = question("what is this?", scene_png()[:600])
    streamed = pb.GenerateStreamRequest(messages=asked.messages)
    for answer in (
        client.call(stub.Generate, asked),
        anext(client.stream(stub.GenerateStream, streamed)),
    ):
        with pytest.raises(InvalidInput) as refused:
            await answer
        assert refused.value.violations[0].field == "messages[0].parts[1].image"
        assert refused.value.remedy


async def test_an_engine_that_is_down_is_unavailable_with_a_time_to_try_again(
    lonely: grpc.aio.Channel,
) -> None:
    stub = pb_grpc.VisionServiceStub(lonely)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.Generate(question(scene_png(), "?"))
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert details(failed.value, RetryInfo).retry_delay.seconds >= 1
    with pytest.raises(Unavailable):
        await client.call(stub.Generate, question(scene_png(), "?"))
    model = (await client.call(stub.GetModel, pb.GetModelRequest())).model
    assert model.ready is False
    assert await first_health(lonely) == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_conversation_beyond_the_context_is_refused_with_a_remedy(
    channel: grpc.aio.Channel,
) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    with pytest.raises(InvalidInput) as refused:
        await client.call(stub.Generate, question("box " * 50_000))
    assert refused.value.code == "CONTEXT_EXCEEDED"
    assert refused.value.remedy


async def test_what_is_not_built_yet_says_so(lonely: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(lonely)
    unbuilt = {
        "GetDevice": client.call(stub.GetDevice, pb.GetDeviceRequest()),
        "ReleaseMemory": client.call(stub.ReleaseMemory, pb.ReleaseMemoryRequest()),
        "Watch": anext(client.stream(stub.Watch, iter([]))),
    }
    for name, answer in unbuilt.items():
        with pytest.raises(Unimplemented, match=f"{name} is not built yet"):
            await answer


async def first_health(channel: grpc.aio.Channel) -> int:
    watch = health_pb2_grpc.HealthStub(channel).Watch(
        health_pb2.HealthCheckRequest(service=VISION.full_name), timeout=10
    )
    async for response in watch:
        # Unknown until the room has asked its engine for the first time.
        if response.status != health_pb2.HealthCheckResponse.SERVICE_UNKNOWN:
            watch.cancel()
            return int(response.status)
    raise AssertionError("the watch ended without a word")


def details(failed: grpc.aio.AioRpcError, kind: type) -> object:
    status = rpc_status.from_call(failed)
    assert status is not None
    found = kind()
    assert any(detail.Unpack(found) for detail in status.details), kind
    return found
