"""The table of bad media through every route of the dialects that takes media: refused at once, in
the words that the room itself has for it, about the field that the client sent.
"""

import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from mesh.jobs.v1 import job_service_pb2 as jobs_pb
from mesh.jobs.v1 import job_service_pb2_grpc as jobs_grpc
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as reasoning_grpc
from mesh.types.v1 import chat_pb2, image_pb2, video_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as vision_grpc

from gateway.bridge import server
from gateway.bridge.dialects import dialects
from services.chassis import client
from services.chassis.config import RoomConfig
from services.chassis.errors import MeshError
from services.chassis.server import Server
from services.jobs.adapters.postgres import Database
from services.jobs.rpc import JobServicer
from tests.doubles import bad_media, edge, media_keeping, postgres
from tests.doubles import bridge as bridges
from tests.doubles.bad_media import Bad
from tests.doubles.chat_rooms import vision_room
from tests.doubles.engine_server import EngineServer, engine_server
from tests.doubles.strangers import Stranger, stranger

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")

JOBS = jobs_pb.DESCRIPTOR.services_by_name["JobService"]


@in_module
async def engine() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@in_module
async def web() -> AsyncIterator[Stranger]:
    async with stranger() as running:
        yield running


@in_module
async def jobs(postgres_server) -> AsyncIterator[str]:
    room = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    with postgres.database(postgres_server) as url:
        async with Database(url) as database:
            servicer = JobServicer(media_keeping.jobs(database))
            room.add(jobs_grpc.add_JobServiceServicer_to_server, servicer, JOBS)
            async with room.running() as address:
                yield address


@in_module
async def vision(engine: EngineServer) -> AsyncIterator[vision_grpc.VisionServiceStub]:
    async with (
        vision_room(engine.url, fetch_allow=("127.0.0.1/32",), release_at=0) as address,
        client.channel(address) as channel,
    ):
        yield vision_grpc.VisionServiceStub(channel)


@in_module
async def http(jobs: str, vision: vision_grpc.VisionServiceStub) -> AsyncIterator[Any]:
    config = bridges.config(jobs_target=jobs)
    async with client.channel(jobs) as channel, client.channel(edge.NOWHERE) as nowhere:
        stubs = {
            "VisionService": vision,
            "JobService": jobs_grpc.JobServiceStub(channel),
            "ReasoningService": reasoning_grpc.ReasoningServiceStub(nowhere),
        }
        async with (
            server.running(config, server.application(dialects(), stubs)) as address,
            aiohttp.ClientSession(f"http://{address}") as http,
        ):
            yield http


def form(data: bytes) -> dict[str, Any]:
    made = aiohttp.FormData()
    made.add_field("file", data, filename="a", content_type="image/jpeg")
    return {"data": made}


def generation(kind: str, text: str) -> dict[str, Any]:
    content = [{"type": "text", "text": "?"}, {"type": kind, kind: text}]
    return {"json": {"messages": [{"role": "user", "content": content}]}}


def timing(text: str) -> dict[str, Any]:
    given = {"prompt": "A task", "vlm_prompt": "What?", "images": [text]}
    job = {"job_type": "task_timing_v1", "domain_id": "", "query": {"ids": []}, "input": given}
    return {"json": job}


def completion(url: str) -> dict[str, Any]:
    shown = {"type": "image_url", "image_url": {"url": url}}
    return {"json": {"model": "default", "messages": [{"role": "user", "content": [shown]}]}}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


BY_BYTES: dict[str, tuple[Callable[[bytes], dict[str, Any]], str]] = {
    "/api/v1/generate": (
        lambda data: generation("image", encoded(data)),
        "messages[0].content[1].image",
    ),
    "/describe": (lambda data: {"json": {"image": encoded(data), "prompt": "?"}}, "image"),
    "/describe/file": (form, "image"),
    "/caption": (form, "image"),
    "/vision/frame": (form, "image"),
    "/vision/frame_b64": (lambda data: {"json": {"image_b64": encoded(data)}}, "image"),
    "/caption/generate": (lambda data: {"json": {"image_data": encoded(data)}}, "image_data"),
    "/v1/chat/completions": (
        lambda data: completion(bad_media.data_url(data)),
        "messages[0].content[0].image_url.url",
    ),
    "/api/v1/jobs": (lambda data: timing(encoded(data)), "input.images[0].data"),
}
"""Of every route that takes a picture's bytes: how to send them, and what it calls them."""


async def refusal(call: Any) -> MeshError:
    with pytest.raises(MeshError) as failed:
        await call
    return failed.value


async def told(http: aiohttp.ClientSession, path: str, sent: dict[str, Any]) -> tuple[Any, str]:
    async with http.post(path, **sent) as answer:
        text = await answer.text()
    if answer.content_type == "text/plain":
        return answer, text
    body = json.loads(text)
    return answer, body["error"]["message"] if "error" in body else body["detail"]


@pytest.mark.parametrize("path", BY_BYTES)
@pytest.mark.parametrize("bad", bad_media.BY_BYTES.values(), ids=bad_media.BY_BYTES.keys())
async def test_bad_bytes_mean_the_same_in_every_dialect(http, vision, engine, path, bad: Bad):
    send, field = BY_BYTES[path]
    answer, text = await told(http, path, send(bad.data))
    assert answer.status == 400, text
    assert engine.bodies == []
    if not bad.data:
        # Text that is empty is no picture to begin with: the dialect says so in its own words.
        assert "empty" in text or text == "invalid image_b64"
        return
    asked = pb.DescribeRequest(image=image_pb2.Image(data=bad.data))
    ours = await refusal(client.call(vision.Describe, asked))
    assert text == str(ours).replace("image:", f"{field}:", 1)


NAMING: dict[str, tuple[Callable[[str], dict[str, Any]], str]] = {
    "/api/v1/generate": (lambda uri: generation("image", uri), "messages[0].content[1].image: "),
    "/v1/chat/completions": (completion, "messages[0].content[0].image_url.url: "),
}
"""Of every route that takes the name of a picture: how to send one, and how its error begins."""


@pytest.mark.parametrize("path", NAMING)
@pytest.mark.parametrize("bad", bad_media.BY_NAME.values(), ids=bad_media.BY_NAME.keys())
async def test_bad_names_mean_the_same_in_a_conversation(http, vision, engine, web, path, bad: Bad):
    send, begins = NAMING[path]
    uri = bad.uri.replace("{port}", str(web.port))
    answer, text = await told(http, path, send(uri))
    if answer.status == 413:
        assert bad.code == "MEDIA_TOO_LARGE"
        return
    assert text.startswith(begins)
    assert (answer.status, "retry-after" in answer.headers) == (
        (503, True) if bad.passes else (400, False)
    )
    assert bad.message in text
    assert engine.bodies == []
    if not uri.startswith("data:"):
        part = chat_pb2.Part(image=image_pb2.Image(uri=uri))
        assert problem_of(await generated(vision, part)) in text


@pytest.mark.parametrize("bad", bad_media.VIDEOS.values(), ids=bad_media.VIDEOS.keys())
async def test_a_bad_video_means_the_same_in_a_conversation(http, vision, web, bad: Bad):
    uri = bad.uri.replace("{port}", str(web.port))
    text_sent = uri or encoded(bad.data)
    answer, text = await told(http, "/api/v1/generate", generation("video", text_sent))
    assert answer.status == 400
    assert text.startswith("messages[0].content[1].video: ")
    if bad.data:
        part = chat_pb2.Part(video=video_pb2.Video(data=bad.data))
        assert problem_of(await generated(vision, part)) in text


async def generated(vision: vision_grpc.VisionServiceStub, part: chat_pb2.Part) -> MeshError:
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[part])
    return await refusal(client.call(vision.Generate, pb.GenerateRequest(messages=[message])))


def problem_of(error: MeshError) -> str:
    """The error's words behind the field that it speaks of."""
    return str(error).partition(": ")[2]
