"""A client of the caption queue sends an aisle and comes back for its caption."""

import base64
import random

from models.aisle.world import random_scene
from tests.doubles import receiver
from tests.doubles.pictures import scene_png
from tests.e2e import clients

SCENE = random_scene(random.Random(12))
TEXT = base64.b64encode(scene_png(SCENE)).decode()


async def test_a_caption_is_queued_and_read(mesh):
    sent = {"image_data": f"data:image/png;base64,{TEXT}", "webhook_url": None}
    async with mesh.http.post("/caption/generate", json=sent) as answer:
        queued = await answer.json()
    assert answer.status == 200, queued
    assert queued.keys() == {"job_id", "status", "message", "created_at"}
    await clients.finished(mesh.http, queued["job_id"])
    async with mesh.http.get(f"/caption/job/{queued['job_id']}") as answer:
        done = await answer.json()
    assert (done["status"], done["result"]["caption"]) == ("completed", SCENE.caption)
    assert done["completed_at"] > done["created_at"] == queued["created_at"]
    async with mesh.http.get("/caption/stats") as answer:
        assert (answer.status, (await answer.json()).keys()) == (
            200,
            {"total_jobs", "active_jobs", "queue_size", "status_counts"},
        )


async def test_a_signed_webhook_brings_the_caption(mesh):
    async with receiver.receiving() as hook:
        sent = {"image_data": TEXT, "webhook_url": hook.url}
        async with mesh.http.post("/caption/generate", json=sent) as answer:
            queued = await answer.json()
        assert answer.status == 200, queued
        await hook.heard(1)
    [message] = hook.received
    told = await clients.verified(mesh.http, message)
    assert told.keys() == {"job_id", "status", "result", "error_message", "timestamp"}
    assert (told["job_id"], told["status"]) == (queued["job_id"], "completed")
    assert told["result"]["caption"] == SCENE.caption


async def test_a_bad_picture_is_refused_at_once(mesh):
    bad = base64.b64encode(b"not a picture").decode()
    async with mesh.http.post("/caption/generate", json={"image_data": bad}) as answer:
        told = await answer.json()
    assert answer.status == 400
    assert told["detail"].startswith("image_data: ")


async def test_a_job_that_is_not_there_is_not_found(mesh):
    async with mesh.http.get("/caption/job/nothing") as answer:
        assert (answer.status, await answer.json()) == (404, {"detail": "Job not found"})
