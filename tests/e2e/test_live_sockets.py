"""Live frames on the real mesh, with the client libraries that glasses and robots use."""

import asyncio
import base64
import io
import json
import random
import threading

import pytest
from mesh.vision.v1.watch_pb2 import WatchSettings
from websockets.asyncio.client import connect

from models.aisle.world import draw, random_scene
from sensorium.audio import capture
from sensorium.edge import Edge
from sensorium.video import VideoStream
from sensorium.watching import watch
from tests.doubles.recordings import DIALOGUE, TRUTH
from tests.doubles.videos import video
from tests.doubles.word_error import word_error_rate

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


async def test_glasses_hear_what_was_said_and_what_it_comes_to_and_so_does_who_asks_later(mesh):
    dialogue = b"".join(capture.chunks(str(DIALOGUE), threading.Event(), fast=True))
    speech = dialogue[: 4 * capture.BYTES_PER_SECOND]
    told = []
    async with connect(f"ws{mesh.url[4:]}/ws/audio") as socket, asyncio.timeout(150):
        assert json.loads(await socket.recv()) == {"type": "ready"}
        config = {"type": "config", "session_id": "e2e", "sample_rate": 16_000, "language": "en"}
        await socket.send(json.dumps(config).encode())
        for at in range(0, len(speech), 32_000):
            await socket.send(speech[at : at + 32_000])
        await socket.send(json.dumps({"type": "end_of_stream"}).encode())
        while not told or told[-1]["type"] != "final_result":
            told.append(json.loads(await socket.recv()))
    assert {it["type"] for it in told[:-1]} <= {"partial_result"}
    truth = json.loads(TRUTH.read_text())["turns"][0]["text"]
    final = told[-1]
    assert word_error_rate(truth, final["text"]) < 0.3
    assert final["analysis"]["summary"] or final["analysis"]["missing"]
    assert final["analysis"]["transcript"][-1]["end"] <= len(speech) / 32_000
    async with mesh.http.get("/sessions/e2e") as answer:
        kept = await answer.json()
    assert (kept["state"], kept["analysis"]) == ("ended", final["analysis"])
