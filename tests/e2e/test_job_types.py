"""Each newer type of job over REST on the real mesh, with drawn aisles."""

import base64
import io
import random

import av
import pytest

from models.aisle.world import Colour, Frame, Scene, Worker, random_look
from tests.e2e import clients

SAFE = Scene(3, Colour.RED, Worker.STANDING, spill=False, ladder=False)
SPILT = Scene(3, Colour.RED, Worker.STANDING, spill=True, ladder=False)
CLIMBED = Scene(3, Colour.RED, Worker.STANDING, spill=True, ladder=True)


def drawn(*scenes):
    look = random_look(random.Random(5))
    return [Frame(f"frame-{n}", float(n), scene, look) for n, scene in enumerate(scenes)]


def encoded(data):
    return base64.b64encode(data).decode()


def images(frames):
    return [{"id": it.image_id, "data": encoded(clients.jpeg(it))} for it in frames]


def film(frames):
    """A video that shows each for a second."""
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=2, options={"crf": "10"})
        pictures = [it.draw() for it in frames]
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            for _ in range(2):
                for packet in stream.encode(av.VideoFrame.from_image(picture)):
                    output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    return written.getvalue()


async def done(mesh, kind, given):
    job = await clients.create(mesh.http, {"type": kind, "input": {kind: given}})
    job = await clients.finished(mesh.http, job["id"])
    assert job["state"] == "JOB_STATE_COMPLETED", job
    return job["output"][kind]


async def test_the_vision_model_answers_to_each_picture(mesh):
    frames = drawn(SAFE, CLIMBED)
    output = await done(mesh, "vlm_only", {"prompt": "What is there?", "images": images(frames)})
    assert [(it["image_id"], it["text"]) for it in output["responses"]] == [
        (it.image_id, it.scene.caption) for it in frames
    ]


async def test_a_spill_and_a_ladder_are_the_risks_of_an_aisle(mesh):
    frames = drawn(SAFE, SPILT, CLIMBED)
    output = await done(mesh, "surveillance_v1", {"images": images(frames)})
    found = {it["risk"]["description"]: it["evidence_image_ids"] for it in output["risks"]}
    assert found == {
        "There is a spill on the floor.": ["frame-1", "frame-2"],
        "There is a ladder.": ["frame-2"],
    }
    assert all(it["risk"]["severity"] for it in output["risks"])


async def test_a_video_is_told_by_its_scenes(mesh):
    frames = drawn(SAFE, SAFE, SPILT)
    output = await done(mesh, "video_summary_v1", {"video": {"data": encoded(film(frames))}})
    assert [(it["text"], it["evidence_image_ids"]) for it in output["scenes"]] == [
        (SAFE.caption, ["frame-0", "frame-1000"]),
        (SPILT.caption, ["frame-2000"]),
    ]
    assert float(output["duration"].rstrip("s")) == pytest.approx(3.0, abs=0.1)
    assert output["summary"]
