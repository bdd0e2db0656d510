"""The clients of three replaced systems send an aisle each and read what the aisle model sees."""

import base64
import io
import random

import aiohttp
import pytest

from models.aisle.world import draw, random_scene
from tests.doubles.videos import video

SCENE = random_scene(random.Random(11))


def picture(kind: str) -> bytes:
    written = io.BytesIO()
    draw(SCENE, random.Random(5)).save(written, kind)
    return written.getvalue()


TEXT = base64.b64encode(picture("PNG")).decode()
DATA_URL = f"data:image/png;base64,{TEXT}"


def form(kind: str = "JPEG", **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData(fields)
    made.add_field("file", picture(kind), filename="aisle", content_type=f"image/{kind.lower()}")
    return made


def generation(image: str) -> dict[str, object]:
    content = [{"type": "text", "text": "What is there?"}, {"type": "image", "image": image}]
    return {"messages": [{"role": "user", "content": content}], "temperature": 0}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
async def test_local_models_describes_a_frame_that_is_a_file(mesh, kind):
    async with mesh.http.post("/vision/frame", data=form(kind, session_id="s1")) as answer:
        told = await answer.json()
    assert (answer.status, told) == (
        200,
        {"description": SCENE.caption, "session_id": "s1", "width": 140, "height": 112},
    )


async def test_local_models_describes_a_frame_in_json(mesh):
    sent = {"image_b64": TEXT, "metadata": {"camera": 1}}
    async with mesh.http.post("/vision/frame_b64", json=sent) as answer:
        told = await answer.json()
    assert (answer.status, told) == (
        200,
        {"description": SCENE.caption, "session_id": None, "width": 140, "height": 112},
    )


@pytest.mark.parametrize("image", [TEXT, DATA_URL], ids=["base64", "data URL"])
async def test_vlm_server_answers_a_conversation(mesh, image):
    async with mesh.http.post("/api/v1/generate", json=generation(image)) as answer:
        told = await answer.json()
    assert answer.status == 200, told
    assert list(told) == ["response", "usage", "processing_time"]
    assert told["response"] == SCENE.caption
    usage = told["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert min(usage["input_tokens"], usage["output_tokens"], told["processing_time"]) > 0


async def test_vlm_server_sees_an_upload_by_its_reference(mesh):
    async with mesh.http.post("/mesh/v1/media", data=picture("PNG")) as answer:
        uploaded = await answer.json()
    assert answer.status == 200, uploaded
    async with mesh.http.post("/api/v1/generate", json=generation(uploaded["uri"])) as answer:
        told = await answer.json()
    assert (answer.status, told.get("response")) == (200, SCENE.caption), told


async def test_vlm_server_sees_a_video(mesh):
    film = base64.b64encode(video(frames=4, rate=2)).decode()
    item = {"type": "video", "video": f"data:video/mp4;base64,{film}"}
    content = [{"type": "text", "text": "What happens?"}, item]
    sent = {"messages": [{"role": "user", "content": content}]}
    async with mesh.http.post("/api/v1/generate", json=sent) as answer:
        told = await answer.json()
    assert answer.status == 200, told
    assert told["response"]


async def test_caption_queue_describes_a_picture_in_json(mesh):
    sent = {"image": DATA_URL, "prompt": "What do you see?", "temperature": 0, "max_tokens": 64}
    async with mesh.http.post("/describe", json=sent) as answer:
        told = await answer.json()
    assert answer.status == 200, told
    assert told["description"] == SCENE.caption
    assert told["processing_time"] > 0
    assert told["model_info"]["max_tokens"] == 64


async def test_caption_queue_describes_a_file(mesh):
    asked = {"prompt": "What do you see?", "temperature": "0"}
    async with mesh.http.post("/describe/file", data=form(), params=asked) as answer:
        told = await answer.json()
    assert (answer.status, told.get("description")) == (200, SCENE.caption), told


@pytest.mark.parametrize("length", ["short", "normal"])
async def test_caption_queue_captions_a_file(mesh, length):
    async with mesh.http.post("/caption", data=form(), params={"length": length}) as answer:
        told = await answer.json()
    assert answer.status == 200, told
    assert (told["caption"], told["length"]) == (SCENE.caption, length)


async def test_their_health_and_their_model_are_the_rooms(mesh):
    async with mesh.http.get("/health") as answer:
        told = await answer.json()
    assert (answer.status, told["status"], told["model_loaded"]) == (200, "healthy", True)
    assert (told["device"], told["gpu_available"]) == ("cpu", False)
    assert told["memory_usage"]["system"]["rss_mb"] > 0
    async with mesh.http.get("/model/info") as answer:
        told = await answer.json()
    assert (answer.status, told["model_loaded"], told["queue_enabled"]) == (200, True, True)
    assert told["model_name"]
    async with mesh.http.get("/") as answer:
        front = await answer.json()
    assert (answer.status, front["model"]) == (200, told["model_name"])


async def test_the_devices_memory_is_told_and_its_caches_cleared(mesh):
    async with mesh.http.get("/vram_status") as answer:
        told = await answer.json()
    assert answer.status == 200, told
    assert 0 < told["reserved_gb"] < told["total_gb"]
    assert 0 < told["usage_percentage"] < 100
    async with mesh.http.post("/clear_vram") as answer:
        cleared = await answer.json()
    assert (answer.status, cleared["status"]) == (200, "success"), cleared
    assert cleared["vram_status"]["total_gb"] == told["total_gb"]


BAD = base64.b64encode(b"not a picture").decode()
REFUSED = {
    "/vision/frame_b64": {"image_b64": BAD},
    "/describe": {"image": BAD, "prompt": "What?"},
    "/api/v1/generate": generation(BAD),
}


@pytest.mark.parametrize("path", REFUSED)
async def test_a_bad_picture_is_the_callers_mistake(mesh, path):
    async with mesh.http.post(path, json=REFUSED[path]) as answer:
        told = await answer.json()
    assert answer.status == 400
    assert "is not a picture of a known format" in told["detail"]


async def test_a_picture_inside_the_machine_is_not_fetched(mesh):
    sent = generation("http://127.0.0.1:1/one.jpg")
    async with mesh.http.post("/api/v1/generate", json=sent) as answer:
        told = await answer.json()
    assert answer.status == 400
    assert "messages[0].content[1].image" in told["detail"]


async def test_what_lacks_is_told_in_a_list(mesh):
    async with mesh.http.post("/vision/frame", data={"session_id": "s1"}) as answer:
        told = await answer.json()
    assert answer.status == 422
    assert told["detail"][0]["loc"] == ["body", "file"]
