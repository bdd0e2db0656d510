"""Who goes first at an engine that is full: over real gRPC, with the double of an engine."""

import asyncio

import pytest
from mesh.types.v1 import image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from mesh.vision.v1 import watch_pb2

from services.chassis import client, names
from tests.doubles.chat_rooms import vision_room
from tests.doubles.engine_server import engine_server
from tests.doubles.meters import metering
from tests.doubles.pictures import scene_png

IMAGE = image_pb2.Image(data=scene_png())


@pytest.fixture
def meters(monkeypatch):
    with metering(monkeypatch) as made:
        yield made


@pytest.fixture
async def engine():
    async with engine_server() as running:
        running.release = asyncio.Event()
        yield running


@pytest.fixture
async def vision(meters, engine):
    async with (
        vision_room(engine.url, engine_calls=1, release_at=0) as address,
        client.channel(address) as channel,
    ):
        yield pb_grpc.VisionServiceStub(channel)


async def test_a_live_frame_goes_before_a_call_and_that_before_a_job(vision, meters, engine):
    def describe(priority):
        stated = ((names.PRIORITY_HEADER, priority),)
        return vision.Describe(pb.DescribeRequest(image=IMAGE, prompt=priority), metadata=stated)

    async def waits(priority):
        async with asyncio.timeout(10):
            while meters.read()[names.ENGINE_WAITING, priority] != 1:
                await vision.GetModel(pb.GetModelRequest())

    calls = [describe("first")]
    await asyncio.wait_for(engine.chatting.wait(), 10)
    for priority in ("job", "interactive"):
        calls.append(describe(priority))
        await waits(priority)
    watch = vision.Watch()
    await watch.write(watch_pb2.WatchRequest(settings=watch_pb2.WatchSettings(prompt="live")))
    await watch.write(watch_pb2.WatchRequest(frame=IMAGE))
    await waits("live")
    engine.release.set()
    assert all([(await it).description for it in calls])
    watch.cancel()
    asked = [body["messages"][-1]["content"][-1]["text"] for body in engine.bodies]
    assert asked == ["first", "live", "interactive", "job"]
