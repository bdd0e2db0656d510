"""What the tests say to the mesh: a task drawn for them, and its job over REST."""

import base64
import io
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from standardwebhooks import Webhook

from models.aisle.world import Frame, Scene, TaskSequence, draw, task_sequence
from tests.doubles.pictures import encode
from tests.doubles.receiver import Message

BEGIN = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TASK = "A worker is stocking the shelf"


def sequence(seed: int = 7) -> TaskSequence:
    return task_sequence(random.Random(seed), frame_count=32)


def jpeg(frame: Frame) -> bytes:
    written = io.BytesIO()
    frame.draw().save(written, "JPEG", quality=90)
    return written.getvalue()


def timing_job(drawn: TaskSequence, **fields: Any) -> dict[str, Any]:
    images = [
        {
            "id": frame.image_id,
            "capture_time": (BEGIN + timedelta(seconds=frame.offset_seconds)).isoformat(),
            "data": base64.b64encode(jpeg(frame)).decode(),
        }
        for frame in drawn.frames
    ]
    return {
        "type": "task_timing_v1",
        "input": {"task_timing_v1": {"task": TASK, "images": images}},
        **fields,
    }


def caption_job(*pictures: bytes) -> dict[str, Any]:
    images = [{"data": base64.b64encode(data).decode()} for data in pictures]
    return {"type": "caption_v1", "input": {"caption_v1": {"images": images}}}


async def describe(http: aiohttp.ClientSession, scene: Scene) -> dict[str, Any]:
    data = encode(draw(scene, random.Random(4)), "JPEG", quality=90)
    async with http.post("/mesh/v1/vision:describeUpload", data=data) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def generate(http: aiohttp.ClientSession, text: str) -> dict[str, Any]:
    messages = [{"role": "ROLE_USER", "parts": [{"text": text}]}]
    body = {"messages": messages, "sampling": {"max_tokens": 8}}
    async with http.post("/mesh/v1/reasoning:generate", json=body) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def create(http: aiohttp.ClientSession, job: dict[str, Any]) -> dict[str, Any]:
    async with http.post("/mesh/v1/jobs", json=job) as answer:
        body = await answer.json()
        assert answer.status == 200, body
        return dict(body["job"])


async def get(http: aiohttp.ClientSession, job_id: str) -> dict[str, Any]:
    async with http.get(f"/mesh/v1/jobs/{job_id}") as answer:
        body = await answer.json()
        assert answer.status == 200, body
        return dict(body["job"])


async def watch(http: aiohttp.ClientSession, job_id: str) -> AsyncIterator[dict[str, Any]]:
    """Follow a job by server-sent events until the mesh ends the stream."""
    async with http.get(f"/mesh/v1/jobs/{job_id}:watch") as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        async for line in answer.content:
            if line.startswith(b"data:"):
                yield json.loads(line.removeprefix(b"data:"))


async def verified(http: aiohttp.ClientSession, message: Message) -> Any:
    """Check a webhook's signature as a receiver does; what it says."""
    async with http.get("/mesh/v1/webhooks/secrets") as answer:
        [secret] = (await answer.json())["secrets"]
    return Webhook(secret).verify(message.body, message.headers)


async def finished(http: aiohttp.ClientSession, job_id: str) -> dict[str, Any]:
    async for _ in watch(http, job_id):
        pass
    return await get(http, job_id)
