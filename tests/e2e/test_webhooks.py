import base64

from tests.doubles import receiver
from tests.e2e import clients


async def test_a_receiver_on_this_machine_is_told_and_knows_who_told_it(mesh):
    frame = clients.sequence(9).frames[0]
    image = {"id": frame.image_id, "data": base64.b64encode(clients.jpeg(frame)).decode()}
    prompt = {"prompt": "What do you see?", "vlm_prompt": "What do you see?"}
    async with receiver.receiving() as hook:
        sent = {
            "job_type": "vlm_only",
            "domain_id": "",
            "query": {"ids": []},
            "input": {**prompt, "webhook_url": hook.url, "images": [image]},
        }
        async with mesh.http.post("/api/v1/jobs", json=sent) as answer:
            job = await answer.json()
        assert answer.status == 200, job
        await hook.heard(1)
    [message] = hook.received
    told = await clients.verified(mesh.http, message)
    assert (told["job_id"], told["error"]) == (job["id"], None)
    assert told["data"]["temporal_output"] == frame.scene.caption

    asked = {"job_id": job["id"]}
    async with mesh.http.get("/mesh/v1/webhooks/deliveries", params=asked) as answer:
        [delivery] = (await answer.json())["deliveries"]
    assert delivery["id"] == message.id
