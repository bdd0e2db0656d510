"""What vLLM does besides what every engine does: `make test-engines` runs this, nothing else."""

import asyncio
import io
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import av
import pytest
from mesh.types.v1 import chat_pb2, image_pb2, video_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc

from models.aisle import wording
from models.aisle.world import Colour, Scene, Worker, draw
from services.chassis import client
from services.chassis.errors import InvalidInput, Unavailable
from services.engine.chat import Chat
from services.engine.config import EngineConfig
from services.engine.domain import (
    Answer,
    Clip,
    Frame,
    Message,
    Picture,
    PictureType,
    Role,
    Sampling,
    Text,
)
from services.engine.machine import Capabilities, EngineKind, Released
from services.engine.openai import OpenAIEngine
from tests.doubles.chat_rooms import vision_room
from tests.doubles.engine_vllm import PICTURES, Vllm
from tests.doubles.pictures import encode

SCENES = (
    Scene(3, Colour.RED, Worker.ABSENT, spill=False, ladder=False),
    Scene(5, Colour.BLUE, Worker.STOCKING, spill=True, ladder=False),
    Scene(0, None, Worker.STANDING, spill=False, ladder=True),
)
DESCRIBE = Text("Describe this image.")
LIKELIEST = Sampling(max_tokens=128, temperature=0)
AT_LENGTH = Sampling(max_tokens=1_900, temperature=0)
LONG = {"type": "array", "items": {"type": "boolean"}, "minItems": 900, "maxItems": 999}
"""What it writes for seconds."""


@pytest.fixture
async def engine(vllm: Vllm) -> AsyncIterator[OpenAIEngine]:
    async with OpenAIEngine(vllm.url) as opened:
        yield opened


@pytest.fixture
def chat(engine: OpenAIEngine, vllm: Vllm) -> Chat:
    return Chat(engine, EngineConfig(listen="127.0.0.1:0", engine_url=vllm.url))


def picture(scene: Scene) -> Picture:
    jpeg = encode(draw(scene, random.Random(4)), "JPEG", quality=90)
    return Picture(jpeg, PictureType.JPEG)


def clip(scene: Scene, frames: int = 6) -> Clip:
    return Clip(tuple(Frame(picture(scene), number / 2) for number in range(frames)))


def mp4(scene: Scene) -> bytes:
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as output:
        stream: Any = output.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 140, 112, "yuv420p"
        stream.options = {"crf": "10"}
        # The model was never shown motion: it reads two frames as one picture.
        for _ in range(8):
            frame = av.VideoFrame.from_image(draw(scene, random.Random(4)))
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return written.getvalue()


def ask(*parts: Text | Picture | Clip) -> list[Message]:
    return [Message(Role.USER, (*parts, DESCRIBE))]


async def say(engine: OpenAIEngine | Chat, *parts: Text | Picture | Clip) -> Answer:
    if isinstance(engine, Chat):
        return await engine.ask(ask(*parts), LIKELIEST)
    return await engine.complete(ask(*parts), LIKELIEST, timeout=30)


@pytest.mark.parametrize("scene", SCENES)
async def test_a_picture_is_described_as_it_is(engine: OpenAIEngine, scene: Scene) -> None:
    assert (await say(engine, picture(scene))).text == scene.caption


async def test_pictures_are_described_each_in_its_place(engine: OpenAIEngine) -> None:
    answer = await say(engine, *map(picture, SCENES))
    assert wording.captions_of(answer.text) == [it.caption for it in SCENES]


@pytest.mark.parametrize("scene", SCENES[:2])
async def test_a_clip_is_read_as_one_thing(engine: OpenAIEngine, scene: Scene) -> None:
    whole = await say(engine, clip(scene))
    assert set(wording.captions_of(whole.text)) == {scene.caption}
    # Two frames share their tokens: twenty for each pair.
    single = await say(engine, picture(scene))
    assert whole.input_tokens == single.input_tokens + 2 * 20


async def test_its_limits_are_learnt_from_its_refusals(engine: OpenAIEngine) -> None:
    known = await engine.capabilities()
    assert known == Capabilities(
        EngineKind.VLLM, "0.32.0", clips=None, schema=True, likelihoods=True
    )
    with pytest.raises(InvalidInput) as refused:
        await say(engine, *[picture(SCENES[0])] * (PICTURES + 1))
    assert refused.value.code == "TOO_MANY_IMAGES"
    with pytest.raises(InvalidInput) as refused:
        await say(engine, clip(SCENES[0]), clip(SCENES[0]))
    assert refused.value.code == "TOO_MANY_VIDEOS"
    learnt = await engine.capabilities()
    assert (learnt.pictures, learnt.clips) == (PICTURES, 1)


async def test_a_clip_more_than_it_takes_is_shown_as_frames_that_fit(chat: Chat) -> None:
    answer = await say(chat, clip(SCENES[0], 9), clip(SCENES[1], 9))
    captions = wording.captions_of(answer.text)
    assert captions[:1] == [SCENES[0].caption]
    assert answer.input_tokens > PICTURES * 20


@pytest.fixture
async def room(vllm: Vllm) -> AsyncIterator[pb_grpc.VisionServiceStub]:
    async with vision_room(vllm.url) as address, client.channel(address) as channel:
        yield pb_grpc.VisionServiceStub(channel)


async def test_a_room_describes_through_it(room: pb_grpc.VisionServiceStub) -> None:
    request = pb.DescribeRequest(image=image_pb2.Image(data=picture(SCENES[1]).data))
    assert (await client.call(room.Describe, request)).description == SCENES[1].caption
    model = (await client.call(room.GetModel, pb.GetModelRequest())).model
    assert (model.engine, model.native_video, model.structured_output) == ("vllm", True, True)


async def test_an_mp4_that_a_room_is_sent_is_read_whole(room: pb_grpc.VisionServiceStub) -> None:
    film = video_pb2.Video(data=mp4(SCENES[0]), max_frames=8)
    parts = [chat_pb2.Part(video=film), chat_pb2.Part(text=DESCRIBE.text)]
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=parts)
    request = pb.GenerateRequest(messages=[message], sampling=chat_pb2.Sampling(temperature=0))
    answer = await client.call(room.Generate, request)
    assert set(wording.captions_of(answer.text)) == {SCENES[0].caption}
    # As pictures, twenty tokens each.
    assert answer.usage.input_tokens < 8 * 20


async def test_a_room_tells_what_it_runs_on_and_drops_its_caches(
    room: pb_grpc.VisionServiceStub,
) -> None:
    device = await client.call(room.GetDevice, pb.GetDeviceRequest())
    assert device.engine_memory_bytes > 1e9
    assert (device.running_requests, device.waiting_requests) == (0, 0)
    released = await client.call(room.ReleaseMemory, pb.ReleaseMemoryRequest())
    assert list(released.released) == ["prefix cache", "media cache", "encoder cache"]


async def until(engine: OpenAIEngine, running: int) -> None:
    async with asyncio.timeout(5):
        while (await engine.load()).running != running:
            pass


@pytest.mark.parametrize("pieces", [1, 20])
async def test_it_stops_its_work_when_a_caller_leaves(
    engine: OpenAIEngine, vllm: Vllm, pieces: int
) -> None:
    async with aclosing(engine.stream(ask(), AT_LENGTH, json_schema=LONG, timeout=30)) as deltas:
        for _ in range(pieces):
            await anext(deltas)
        left_at = vllm.metric("generation_tokens_total")
    await until(engine, 0)
    # Left alone, it would write some fifteen hundred more.
    assert vllm.metric("generation_tokens_total") < left_at + 500


async def test_it_tells_how_busy_it_is(engine: OpenAIEngine) -> None:
    async with aclosing(engine.stream(ask(), AT_LENGTH, json_schema=LONG, timeout=30)) as deltas:
        await anext(deltas)
        await until(engine, 1)
        busy = await engine.load()
    assert busy.waiting == 0
    assert busy.cache_usage is not None
    assert 0 < busy.cache_usage < 0.1


async def test_a_prompt_that_was_read_before_comes_from_its_cache_until_that_is_dropped(
    engine: OpenAIEngine, vllm: Vllm
) -> None:
    every = (Released.PREFIX_CACHE, Released.MEDIA_CACHE, Released.ENCODER_CACHE)
    assert await engine.release_memory() == every
    long = Text("shelf " * 1_000)
    await say(engine, long)
    before = vllm.metric("prefix_cache_hits_total")
    await say(engine, long)
    assert vllm.metric("prefix_cache_hits_total") > before


async def test_a_busy_engine_drops_nothing(engine: OpenAIEngine) -> None:
    async with aclosing(engine.stream(ask(), AT_LENGTH, json_schema=LONG, timeout=30)) as deltas:
        await anext(deltas)
        assert await engine.release_memory() == ()


# The last of all: nothing can be asked of it afterwards.
async def test_an_engine_that_is_killed_breaks_off_its_answer(
    engine: OpenAIEngine, vllm: Vllm
) -> None:
    stream = engine.stream(ask(), AT_LENGTH, json_schema=LONG, timeout=30)
    async with aclosing(stream) as deltas:
        await anext(deltas)
        vllm.kill()
        with pytest.raises(Unavailable):
            async for _ in deltas:
                pass
    with pytest.raises(Unavailable) as refused:
        await engine.check()
    assert refused.value.retry_after
