"""The table of bad media over gRPC: the same meaning in every call that takes media."""

from collections.abc import AsyncIterator

import grpc
import pytest
from mesh.types.v1 import chat_pb2, image_pb2, video_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc

from services.chassis import client
from services.chassis.errors import InvalidInput, MeshError, Unavailable
from tests.doubles import bad_media
from tests.doubles.bad_media import Bad
from tests.doubles.chat_rooms import vision_room
from tests.doubles.engine_server import EngineServer, engine_server
from tests.doubles.strangers import Stranger, stranger


@pytest.fixture
async def engine() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@pytest.fixture
async def web() -> AsyncIterator[Stranger]:
    async with stranger() as running:
        yield running


@pytest.fixture
async def channel(engine: EngineServer) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        vision_room(engine.url, fetch_allow=("127.0.0.1/32",), release_at=0) as address,
        client.channel(address) as opened,
    ):
        yield opened


async def refused(bad: Bad, call: object, field: str) -> None:
    kind = Unavailable if bad.passes else InvalidInput
    with pytest.raises(MeshError) as failed:
        await call  # type: ignore[misc]
    error = failed.value
    assert (type(error), error.code) == (kind, bad.code)
    assert [it.field for it in error.violations] == [field + bad.field]
    assert error.remedy or "; " in error.message
    assert bad.message in error.message
    assert (error.retry_after is not None) == bad.passes


@pytest.mark.parametrize("bad", bad_media.IMAGES.values(), ids=bad_media.IMAGES.keys())
async def test_a_bad_picture_means_the_same_in_every_call(
    channel: grpc.aio.Channel, web: Stranger, engine: EngineServer, bad: Bad
) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    image = image_pb2.Image(data=bad.data, uri=bad.uri.replace("{port}", str(web.port)))
    message = chat_pb2.Message(
        role=chat_pb2.ROLE_USER, parts=[chat_pb2.Part(text="?"), chat_pb2.Part(image=image)]
    )
    place = "messages[0].parts[1].image"
    await refused(bad, client.call(stub.Describe, pb.DescribeRequest(image=image)), "image")
    asked = pb.GenerateRequest(messages=[message])
    await refused(bad, client.call(stub.Generate, asked), place)
    streamed = pb.GenerateStreamRequest(messages=[message])
    await refused(bad, anext(client.stream(stub.GenerateStream, streamed)), place)
    assert engine.bodies == []


@pytest.mark.parametrize("bad", bad_media.VIDEOS.values(), ids=bad_media.VIDEOS.keys())
async def test_a_bad_video_is_told_by_its_field(
    channel: grpc.aio.Channel, web: Stranger, engine: EngineServer, bad: Bad
) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    video = video_pb2.Video(data=bad.data, uri=bad.uri.replace("{port}", str(web.port)))
    message = chat_pb2.Message(
        role=chat_pb2.ROLE_USER, parts=[chat_pb2.Part(text="?"), chat_pb2.Part(video=video)]
    )
    asked = pb.GenerateRequest(messages=[message])
    await refused(bad, client.call(stub.Generate, asked), "messages[0].parts[1].video")
    assert engine.bodies == []
