"""Cameras that speak RTSP, which FFmpeg plays: watched, lost and found again."""

import asyncio
import io
from contextlib import aclosing

import pytest
from mesh.vision.v1.watch_pb2 import WatchSettings
from PIL import Image

from sensorium import edge, watching
from sensorium.video import VideoStream, capture
from tests.doubles import rtsp
from tests.doubles.watching import watching as watching_room

SECONDS = 30


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(edge, "RETRY_SECONDS", (0.05,))


@pytest.mark.parametrize("codec", rtsp.PAYLOADS)
async def test_a_cameras_frames_are_jpegs_as_they_come(codec):
    async with rtsp.running(codec) as camera, asyncio.timeout(SECONDS):
        shown = []
        async with aclosing(VideoStream(source=camera.url).frames()) as frames:
            async for frame in frames:
                shown.append(frame)
                if len(shown) == 5:
                    break
    pictures = [Image.open(io.BytesIO(it.data)) for it in shown]
    assert {(it.format, it.size) for it in pictures} == {("JPEG", rtsp.SIZE)}
    # It moves.
    assert len({it.convert("L").getpixel((5, 5)) for it in pictures}) > 1


async def test_a_camera_that_dies_is_found_again_when_it_is_back():
    async with (
        rtsp.running() as camera,
        asyncio.timeout(SECONDS),
        aclosing(VideoStream(source=camera.url).frames()) as frames,
    ):
        await anext(frames)
        for _ in range(2):
            camera.die()
            await camera.start()
            # What was read before is followed by what is read after.
            while not camera.played.is_set():
                await anext(frames)
            await anext(frames)


async def test_a_camera_that_says_nothing_is_given_up_and_asked_again(monkeypatch):
    monkeypatch.setattr(capture, "OPEN_SECONDS", 0.2)
    asked = asyncio.Queue()
    silent = await asyncio.start_server(lambda *client: asked.put_nowait(client), "127.0.0.1", 0)
    async with silent, asyncio.timeout(SECONDS):
        video = VideoStream(source=f"rtsp://127.0.0.1:{silent.sockets[0].getsockname()[1]}/")
        video.start()
        clients = [await asked.get() for _ in range(2)]
        video.stop()
        for _, writing in clients:
            writing.close()


async def test_a_camera_is_watched_by_a_mesh():
    async with rtsp.running() as camera, watching_room() as room, asyncio.timeout(SECONDS):
        frames = VideoStream(source=camera.url).frames()
        edge = watching.Edge(room.address)
        async with aclosing(watching.watch(frames, WatchSettings(), edge)) as answers:
            answer = asyncio.create_task(anext(answers))
            watched = await room.stream()
            await watched.until(lambda it: len(it.frames) >= 2)
            watched.reply("A shade of grey.")
            assert (await answer).text == "A shade of grey."
    first, second = watched.frames[:2]
    assert first.capture_time.ToNanoseconds() < second.capture_time.ToNanoseconds()
