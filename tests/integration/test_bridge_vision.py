"""The vision dialects over HTTP, straight and through the edge: forms, bounds, errors."""

import asyncio
import base64
import io
import os
from datetime import timedelta

import aiohttp
import pytest
import pytest_asyncio
from mesh.vision.v1 import vision_service_pb2_grpc as vision_grpc

from gateway.bridge import forms, server
from gateway.bridge.dialects import dialects
from services.chassis import client, errors, limits
from tests.doubles import bridge as bridges
from tests.doubles import rooms

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")

SERVICE = "/mesh.vision.v1.VisionService"
PIXELS = b"\r\n--pixels\r\n\0\xff--"
TEXT = base64.b64encode(PIXELS).decode()
ASKED = {"messages": [{"role": "user", "content": [{"type": "image", "image": TEXT}]}]}


@pytest.fixture(autouse=True)
def received(mesh):
    mesh.received.clear()
    mesh.answers.clear()
    usage = {"input_tokens": 30, "output_tokens": 12}
    described = {"description": "An aisle.", "width": 140, "height": 112, "usage": usage}
    for method, fields in {
        "Describe": described,
        "Generate": {"text": "An aisle.", "usage": usage, "model": "aisle"},
        "GetModel": {"model": {"name": "aisle", "ready": True}},
    }.items():
        answer = rooms.message(f"mesh.vision.v1.{method}Response", **fields)
        mesh.answers[f"{SERVICE}/{method}"] = [answer]
    return mesh.received


def application(channel):
    return server.application(dialects(), {"VisionService": vision_grpc.VisionServiceStub(channel)})


@in_module
async def bridge(mesh):
    config = bridges.config(vision_target=mesh.targets["vision"], drain_seconds=5)
    async with (
        client.channel(config.vision_target) as channel,
        server.running(config, application(channel)) as address,
    ):
        yield address


@pytest.fixture(params=["straight", "through the edge"])
def url(request, bridge, edge):
    return f"http://{bridge}" if request.param == "straight" else edge.url


def form(data=PIXELS, **fields):
    made = aiohttp.FormData(fields)
    made.add_field("file", io.BytesIO(data), filename="a.jpg", content_type="image/jpeg")
    return made


ROUTES = {
    "/vision/frame": (lambda: {"data": form(session_id="s1")}, "description"),
    "/vision/frame_b64": (lambda: {"json": {"image_b64": TEXT}}, "description"),
    "/api/v1/generate": (lambda: {"json": ASKED}, "response"),
    "/describe": (lambda: {"json": {"image": TEXT, "prompt": "What?"}}, "description"),
    "/describe/file": (lambda: {"data": form(), "params": {"prompt": "What?"}}, "description"),
    "/caption": (lambda: {"data": form(), "params": {"length": "short"}}, "caption"),
}
"""Of every route that takes a picture: how to send one, and where the answer is."""


def picture_of(call):
    (asked,) = call.requests
    if call.method == f"{SERVICE}/Describe":
        return asked.image.data
    return asked.messages[0].parts[0].image.data


@pytest.mark.parametrize("path", ROUTES)
async def test_a_picture_arrives_whole_and_the_answer_comes_back(url, http, received, path):
    send, key = ROUTES[path]
    async with http.post(url + path, **send()) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "application/json"
        assert (await answer.json())[key] == "An aisle."
    assert [picture_of(call) for call in received] == [PIXELS]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput("it is no picture"), 400),
        (errors.Exhausted("too many wait", retry_after=timedelta(seconds=3)), 503),
        (errors.Unavailable("no answer", retry_after=timedelta(seconds=3)), 503),
        (errors.Unavailable("the engine does not answer"), 503),
    ],
)
async def test_what_the_room_refuses_is_detail_in_json(bridge, http, mesh, path, error, status):
    for method in ("Describe", "Generate"):
        mesh.answers[f"{SERVICE}/{method}"] = [error]
    async with http.post(f"http://{bridge}{path}", **ROUTES[path][0]()) as answer:
        assert (answer.status, answer.content_type) == (status, "application/json")
        assert error.message in (await answer.json())["detail"]
        assert answer.headers.get("retry-after") == ("3" if error.retry_after else None)


@pytest.mark.parametrize("charset", ["utf-8", "shift-jis"])
async def test_a_file_may_have_a_name_in_any_script(url, http, received, charset):
    named = HEAD.replace(b'"file"', b'"file"; filename="' + "写真.jpg".encode(charset) + b'"')
    headers = {"content-type": "multipart/form-data; boundary=b"}
    body = named + PIXELS + b"\r\n--b--\r\n"
    async with http.post(f"{url}/vision/frame", data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
    assert [picture_of(call) for call in received] == [PIXELS]


async def test_a_large_file_arrives_whole(url, http, received):
    pixels = os.urandom(20 * limits.MEBIBYTE)
    async with http.post(f"{url}/vision/frame", data=form(pixels)) as answer:
        assert answer.status == 200, await answer.text()
    assert picture_of(received[0]) == pixels


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_file_over_the_limit_is_refused(url, http, received, chunked):
    data = form(b" " * (limits.BODY_BYTES + 1))
    if not chunked:
        data.add_field("session_id", " " * limits.BODY_OVERHEAD_BYTES)
    async with http.post(f"{url}/vision/frame", data=data, chunked=chunked or None) as answer:
        assert (answer.status, answer.content_type) == (413, "application/json")
        assert "32 MiB" in (await answer.json())["detail"]
    assert received == []


HEAD = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
NESTED = (
    b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n"
)
BROKEN = {
    "no end": HEAD + b"pixels",
    "no form at all": b"pixels",
    "nothing": b"",
    "a part without a name": b"--b\r\n\r\npixels\r\n--b--\r\n",
    "a form in a form": NESTED,
    "a field too many": (HEAD + b"\r\n") * (forms.FIELDS + 1) + b"--b--\r\n",
    "nothing but lines": b"\r\n" * 100_000,
    "a header without an end": b"--b\r\nContent-Disposition: " + b"x" * 100_000,
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_form_is_told_and_the_bridge_lives(bridge, http, received, broken):
    headers = {"content-type": "multipart/form-data; boundary=b"}
    url = f"http://{bridge}/vision/frame"
    async with http.post(url, data=BROKEN[broken], headers=headers) as answer:
        assert (answer.status, answer.content_type) == (400, "application/json")
        assert "form" in (await answer.json())["detail"]
    async with http.post(url, data=form()) as answer:
        assert answer.status == 200
    assert len(received) == 1


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/vision/frame", "multipart/form-data; boundary=b"), ("/describe", "application/json")],
)
async def test_who_leaves_before_the_end_is_no_failure_of_the_bridge(
    bridge, http, caplog, path, content_type
):
    _, writing = await asyncio.open_connection(*bridge.split(":"))
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\ncontent-type: {content_type}"
    writing.write(head.encode() + b"\r\n\r\n" + HEAD + b"pix")
    await writing.drain()
    async with http.get(f"http://{bridge}/healthz") as answer:
        assert answer.status == 200
    writing.close()
    await writing.wait_closed()
    async with http.post(f"http://{bridge}/vision/frame", data=form()) as answer:
        assert answer.status == 200
    assert "a dialect failed" not in caplog.text


@pytest.mark.parametrize("content_type", ["multipart/form-data", "application/json", "text/plain"])
async def test_a_form_needs_a_boundary_and_a_file(bridge, http, received, content_type):
    headers = {"content-type": content_type}
    async with http.post(f"http://{bridge}/caption", data=b"{}", headers=headers) as answer:
        assert answer.status in (400, 422)
        assert "detail" in await answer.json()
    assert received == []


async def test_the_health_of_the_model_does_not_hide_the_bridges_own(url, http, received):
    async with http.get(f"{url}/health") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        told = await answer.json()
    assert (told["status"], told["model_loaded"]) == ("healthy", True)
    async with http.get(f"{url}/healthz") as answer:
        assert answer.status == 200
        assert "model_loaded" not in await answer.text()
    assert [call.method for call in received] == [f"{SERVICE}/GetModel", f"{SERVICE}/GetDevice"]


async def test_a_room_that_is_down_is_unhealthy_and_every_picture_is_told_so(http):
    config = bridges.config()
    async with (
        client.channel(config.vision_target) as channel,
        server.running(config, application(channel)) as address,
    ):
        async with http.get(f"http://{address}/health") as answer:
            assert (answer.status, (await answer.json())["status"]) == (200, "unhealthy")
        for path, (send, _) in ROUTES.items():
            async with http.post(f"http://{address}{path}", **send()) as answer:
                assert answer.status == 503
                assert (await answer.json())["detail"]


async def test_the_model_is_told(url, http):
    async with http.get(f"{url}/model/info") as answer:
        assert (answer.status, (await answer.json())["model_name"]) == (200, "aisle")


async def test_the_devices_memory_is_told_and_cleared(url, http, mesh):
    device = {"device": "NVIDIA H100", "memory_total_bytes": 1024**3, "memory_used_bytes": 1024**2}
    dropped = rooms.message("mesh.vision.v1.ReleaseMemoryResponse", released=["prefix cache"])
    mesh.answers[f"{SERVICE}/ReleaseMemory"] = [dropped]
    mesh.answers[f"{SERVICE}/GetDevice"] = [
        rooms.message("mesh.vision.v1.GetDeviceResponse", **device)
    ]
    async with http.get(f"{url}/vram_status") as answer:
        assert (answer.status, (told := await answer.json())["total_gb"]) == (200, 1.0)
    async with http.post(f"{url}/clear_vram") as answer:
        assert await answer.json() == {
            "status": "success",
            "released": ["prefix cache"],
            "vram_status": told,
        }


async def test_the_front_page_tells_what_answers(url, http):
    async with http.get(f"{url}/") as answer:
        assert (answer.status, (await answer.json())["model"]) == (200, "aisle")


async def test_the_room_works_for_the_tenant_that_the_edge_names(bridge, http, received):
    headers = {"x-mesh-tenant": "acme"}
    async with http.post(f"http://{bridge}/vision/frame", data=form(), headers=headers):
        pass
    assert received[0].metadata["x-mesh-tenant"] == "acme"
