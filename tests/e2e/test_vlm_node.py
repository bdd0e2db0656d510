import base64
import csv
import io
import uuid

import pytest

from tests.doubles import receiver
from tests.doubles.domain_server import DOMAIN, Item
from tests.e2e import clients


async def test_a_client_of_vlm_node_works_unchanged(mesh):
    drawn = clients.sequence(9)
    first = max(0, drawn.start_index - 3)
    frames = drawn.frames[first : drawn.start_index + 3]
    images = [
        {"id": it.image_id, "data": base64.b64encode(clients.jpeg(it)).decode()} for it in frames
    ]
    sent = {
        "job_type": "task_timing_v1",
        "domain_id": "",
        "query": {"ids": []},
        "input": {
            "prompt": clients.TASK,
            "vlm_prompt": "Describe what you see in this image",
            "webhook_url": "",
            "images": images,
        },
    }
    async with mesh.http.post("/api/v1/jobs", json=sent) as answer:
        job = await answer.json()
    assert answer.status == 200, job
    assert list(job) == [
        *("id", "status", "created_at", "updated_at", "domain_id", "query", "hash", "input"),
        *("output", "error", "job_type"),
    ]
    await clients.finished(mesh.http, job["id"])

    async with mesh.http.get(f"/api/v1/jobs/{job['id']}") as answer:
        done = await answer.json()
    assert done["status"] == "completed"
    assert done["query"] == sent["query"]
    rows = list(csv.DictReader(io.StringIO(done["output"]["logs"])))
    assert [row["event"] for row in rows] == [frame.scene.caption for frame in frames]
    assert done["output"]["temporal_output"]

    async with mesh.http.get("/api/v1/jobs", params={"limit": "5"}) as answer:
        listed = await answer.json()
    assert job["id"] in [it["id"] for it in listed]


async def test_vlm_only_answers_each_picture_and_a_retry_asks_again(mesh):
    frames = clients.sequence(9).frames[:2]
    images = [
        {"id": it.image_id, "data": base64.b64encode(clients.jpeg(it)).decode()} for it in frames
    ]
    prompt = {"vlm_prompt": "What do you see?", "prompt": "What do you see?"}
    sent = {
        "job_type": "vlm_only",
        "domain_id": "",
        "query": {"ids": []},
        "input": {"job_type": "vlm_only", **prompt, "images": images},
    }
    async with mesh.http.post("/api/v1/jobs", json=sent) as answer:
        job = await answer.json()
    assert (answer.status, job["job_type"]) == (200, "vlm_only")
    seen = [
        {"image_id": it.image_id, "timestamp": "", "response": it.scene.caption} for it in frames
    ]
    assert (await done(mesh, job))["output"]["responses"] == seen

    again = {"job_type": "vlm_only", "input": {"job_type": "vlm_only", **prompt}}
    async with mesh.http.put(f"/api/v1/jobs/{job['id']}", json=again) as answer:
        assert (answer.status, (await answer.json())["output"]) == (200, None)
    output = (await done(mesh, job))["output"]
    assert output["responses"] == seen
    # The client in use reads these two alone.
    assert output["temporal_output"] == frames[-1].scene.caption
    assert output["logs"].endswith(f'"{frames[-1].scene.caption}"')


async def test_the_client_in_use_uploads_a_photo_and_is_told_of_it(mesh, posemesh):
    (frame,) = clients.sequence(9).frames[:1]
    photo = Item(str(uuid.uuid4()), "IMG_20251011_120000.jpg", clients.jpeg(frame))
    posemesh.hold(photo)
    async with receiver.receiving() as hook:
        sent = posemesh_job(photo.id, webhook_url=f"http://{hook.address}/cvnode/response")
        async with mesh.http.post("/api/v1/jobs", json=sent) as answer:
            job = await answer.json()
        assert (answer.status, job["domain_id"]) == (200, DOMAIN), job
        await hook.heard(1)
    told = await clients.verified(mesh.http, hook.received[0])
    assert (told["job_id"], told["error"]) == (job["id"], None)
    assert told["data"]["temporal_output"] == frame.scene.caption
    seen = {"image_id": photo.id, "timestamp": "20251011_120000", "response": frame.scene.caption}
    assert told["data"]["responses"] == [seen]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query": {"ids": [str(uuid.UUID(int=1))]}}, "no data found"),
        ({"domain_id": str(uuid.UUID(int=2))}, "Failed to download domain data: "),
    ],
)
async def test_a_domain_without_the_photo_fails_the_job_with_vlm_nodes_number(mesh, changes, says):
    sent = posemesh_job("unused") | changes
    async with mesh.http.post("/api/v1/jobs", json=sent) as answer:
        job = await answer.json()
    assert answer.status == 200, job
    await clients.finished(mesh.http, job["id"])
    async with mesh.http.get(f"/api/v1/jobs/{job['id']}") as answer:
        told = await answer.json()
    assert (told["status"], told["error"]["code"]) == ("failed", 400)
    assert told["error"]["message"].startswith(says)


def posemesh_job(photo, webhook_url=""):
    prompt = "What do you see?"
    return {
        "job_type": "vlm_only",
        "query": {"ids": [photo]},
        "domain_id": DOMAIN,
        "input": {
            "job_type": "vlm_only",
            "prompt": prompt,
            "vlm_prompt": prompt,
            "webhook_url": webhook_url,
        },
    }


async def done(mesh, job):
    await clients.finished(mesh.http, job["id"])
    async with mesh.http.get(f"/api/v1/jobs/{job['id']}") as answer:
        told = await answer.json()
    assert told["status"] == "completed", told["error"]
    return told


async def test_its_errors_are_plain_text(mesh):
    async with mesh.http.get("/api/v1/jobs/nothing") as answer:
        assert (answer.status, await answer.text()) == (404, "Job not found")
    assert answer.content_type == "text/plain"
