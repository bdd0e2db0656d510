"""Live frames on the real mesh, with the client libraries that glasses and robots use."""

import asyncio
import base64
import io
import json
import random

import pytest
from mesh.vision.v1.watch_pb2 import WatchSettings
from websockets.asyncio.client import connect

from models.aisle.world import draw, random_scene
from sensorium.edge import Edge
from sensorium.video import VideoStream
from sensorium.watching import watch
from tests.doubles.videos import video

SCENE = random_scene(random.Random(11))


def frame() -> bytes:
    written = io.BytesIO()
    draw(SCENE, random.Random(5)).save(written, "JPEG", quality=90)
    return written.getvalue()


async def test_vlm_nodes_glasses_hear_what_a_photo_shows(mesh):
    async with connect(f"ws{mesh.url[4:]}/api/v1/ws") as socket, asyncio.timeout(60):
        for _ in range(2):
            await socket.send("What is there?")
            await socket.send(frame())
            told = [json.loads(await socket.recv())]
            while not told[-1]["done"]:
                told.append(json.loads(await socket.recv()))
            assert "".join(it["response"] for it in told) == SCENE.caption
            assert told[0]["model"] == "aisle"


@pytest.mark.parametrize("path", ["/", "/vila"])
async def test_vilas_robots_hear_of_the_newest_frames_and_nothing_else(mesh, path):
    text = base64.b64encode(frame()).decode()
    async with connect(f"ws{mesh.url[4:]}{path}") as socket, asyncio.timeout(60):
        for sent in (text, "no frame", json.dumps({"timestamp": 1.5, "frame": text})):
            await socket.send(sent)
        told = json.loads(await socket.recv())
        assert list(told) == ["vlm_reply"]
        assert SCENE.caption in told["vlm_reply"]


async def test_a_file_is_watched_to_its_end(mesh, tmp_path):
    path = tmp_path / "aisle.mp4"
    path.write_bytes(video(frames=20, rate=10))
    frames = VideoStream(source=str(path)).frames()
    async with asyncio.timeout(60):
        answers = [it async for it in watch(frames, WatchSettings(), Edge(mesh.url)) if it.done]
    assert answers
    assert all(it.text and it.age.ToTimedelta().total_seconds() < 30 for it in answers)
