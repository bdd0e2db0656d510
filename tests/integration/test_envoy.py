import asyncio
import base64
import gzip
import io
import json
import re
import uuid
from datetime import timedelta

import aiohttp
import grpc
import pytest
import pytest_asyncio
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis import client, errors, limits
from services.chassis.call import Priority
from tests.doubles import edge as edges
from tests.doubles import keys, otlp, rooms
from tests.doubles.http import served

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")

JOB = str(uuid.uuid4())
UPLOAD = "/mesh.audio.v1.AudioService/TranscribeUpload"
STREAM = "/mesh.audio.v1.AudioService/TranscribeUploadStream"
CREATE, GET, LIST, WATCH = (
    f"/mesh.jobs.v1.JobService/{name}" for name in ("CreateJob", "GetJob", "ListJobs", "WatchJob")
)


@in_module
async def bridge():
    async def answer(request):
        if request.headers.get("upgrade") == "websocket":
            if "connection" not in request.headers:
                return web.Response(text=request.headers.get("x-mesh-key", "open"))
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str(request.headers.get("x-mesh-key", "open"))
            await socket.send_str(await socket.receive_str())
            return await socket.close()
        return web.json_response({"path": request.path_qs, "headers": dict(request.headers)})

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    async with served(app) as address:
        yield address


@pytest.fixture
def received(mesh):
    mesh.received.clear()
    mesh.answers.clear()
    return mesh.received


RAW = {"Content-Type": "image/png"}


@in_module
async def collector():
    async with otlp.collecting() as collector:
        yield collector


@in_module
async def edge(tmp_path_factory, mesh, bridge, collector):
    targets = mesh.targets | {"bridge": bridge}
    folder = tmp_path_factory.mktemp("edge")
    async with edges.running(folder, targets, otlp_target=collector.target) as edge:
        yield edge


@in_module
async def guarded_edge(tmp_path_factory, mesh, bridge):
    folder = tmp_path_factory.mktemp("guarded")
    targets = mesh.targets | {"bridge": bridge}
    async with edges.running(folder, targets, guarded=True) as edge:
        yield edge


@in_module
async def lonely_edge(tmp_path_factory):
    async with edges.running(tmp_path_factory.mktemp("lonely"), {}) as edge:
        yield edge


@in_module
async def http():
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as http:
        yield http


@in_module
async def channel(edge):
    async with client.channel(edge.address) as channel:
        yield channel


def problem(body):
    """The parts of an error that a client reads: it must have no others, but what the dialects'
    clients read.
    """
    assert body.keys() - {"detail"} == {"code", "message", "details"}
    assert body.get("detail", body["message"]) == body["message"]
    assert body["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert body["details"][0]["domain"] == "sensorium"
    return body["code"], body["details"][0]["reason"], body["message"]


@pytest.mark.parametrize(("path", "verb", "template", "body"), rooms.BINDINGS)
async def test_every_rest_call_reaches_its_method(path, verb, template, body, edge, http, received):
    sent = {"": {}, "*": {"json": {}}}.get(body, {"data": b"raw"})
    async with http.request(verb, edge.url + template.replace("{id}", JOB), **sent) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    assert [(call.room, call.method) for call in received] == [(path.split(".")[1], path)]
    if "{id}" in template:
        assert received[0].requests[0].id == JOB


async def test_media_goes_through_raw_and_no_browser_guesses_what_it_is(edge, http, mesh, received):
    body = {"content": {"data": b"<html>", "content_type": "application/octet-stream"}}
    mesh.answers["/mesh.jobs.v1.MediaService/Get"] = [
        rooms.message("mesh.jobs.v1.GetResponse", **body)
    ]
    url = f"{edge.url}/mesh/v1/media"
    async with http.post(f"{url}?ttl=3600s", data=b"\0raw", headers=RAW) as answer:
        assert answer.status == 200, await answer.text()
    [upload] = [call.requests[0] for call in received]
    assert (upload.content.data, upload.content.content_type) == (b"\0raw", "image/png")
    assert upload.ttl.seconds == 3600
    async with http.get(f"{url}/abc") as answer:
        assert await answer.read() == b"<html>"
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", rooms.METHODS)
async def test_every_method_is_served_over_grpc_on_the_same_port(path, channel, received):
    answer = rooms.call(channel, path)
    if rooms.METHODS[path].server_streaming:
        assert len([it async for it in answer]) == 1
    else:
        await answer
    assert [(call.room, call.method) for call in received] == [(path.split(".")[1], path)]


async def test_a_grpc_caller_gets_the_rooms_error_with_its_details(channel, mesh, received):
    mesh.answers[GET] = [errors.NotFound("no job", remedy="look", code="NO_SUCH_JOB")]
    with pytest.raises(errors.NotFound) as refused:
        await client.call(lambda request, **options: rooms.call(channel, GET, **options), None)
    assert refused.value.code == "NO_SUCH_JOB"
    assert refused.value.remedy == "look"


async def test_a_rest_caller_gets_the_rooms_error_with_its_details(edge, http, mesh, received):
    refused = errors.InvalidInput.field("input.images[3].data", "no picture", remedy="send one")
    mesh.answers[GET] = [refused]
    async with http.get(f"{edge.url}/mesh/v1/jobs/{JOB}") as answer:
        assert answer.status == 400
        assert answer.content_type == "application/json"
        body = await answer.json()
    assert problem(body) == (3, "INVALID_INPUT", "input.images[3].data: no picture; send one")
    assert body["details"][1]["field_violations"][0]["field"] == "input.images[3].data"


@pytest.mark.parametrize("path", ["", ":watch"])
@pytest.mark.parametrize(("seconds", "header"), [(2.4, "3"), (0.1, "1"), (None, None)])
async def test_a_rest_caller_is_told_in_a_header_when_to_try_again(
    path, seconds, header, edge, http, mesh, received
):
    after = None if seconds is None else timedelta(seconds=seconds)
    mesh.answers[WATCH if path else GET] = [errors.Exhausted("too much", retry_after=after)]
    async with http.get(f"{edge.url}/mesh/v1/jobs/{JOB}{path}") as answer:
        assert (answer.status, answer.headers.get("retry-after")) == (429, header)
        assert problem(await answer.json())[1] == "EXHAUSTED"


async def test_json_spells_fields_as_the_contract_does_and_leaves_no_number_out(
    edge, http, received
):
    async with http.get(f"{edge.url}/mesh/v1/queue:stats") as answer:
        assert await answer.json() == {"pending_jobs": 0, "running_jobs": 0, "counts": []}


async def test_a_stream_comes_as_server_sent_events(edge, http, mesh, received):
    kind = rooms.message("mesh.jobs.v1.JobEvent", sequence=7, kind=8)
    mesh.answers[WATCH] = [
        rooms.message("mesh.jobs.v1.WatchJobResponse", event=kind),
        rooms.message("mesh.jobs.v1.WatchJobResponse"),
    ]
    async with http.get(f"{edge.url}/mesh/v1/jobs/{JOB}:watch?after_sequence=6") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        first, second, rest = (await answer.text()).split("\n\n")
    assert received[0].requests[0].after_sequence == 6
    event = json.loads(first.removeprefix("data: "))["event"]
    assert (event["sequence"], event["kind"]) == (7, "JOB_EVENT_KIND_COMPLETED")
    assert (second, rest) == ("data: {}", "")


async def test_a_stream_that_fails_at_once_is_an_error_in_json(edge, http, mesh, received):
    mesh.answers[WATCH] = [errors.NotFound("no job")]
    async with http.get(f"{edge.url}/mesh/v1/jobs/{JOB}:watch") as answer:
        assert answer.status == 404
        assert problem(await answer.json()) == (5, "NOT_FOUND", "no job")


async def test_a_stream_that_breaks_off_says_so_in_its_trailers(edge, mesh, received):
    piece = rooms.message("mesh.jobs.v1.WatchJobResponse")
    mesh.answers[WATCH] = [piece, errors.Unavailable("the database is down")]
    reader, writer = await asyncio.open_connection(*edge.address.split(":"))
    lines = (f"GET /mesh/v1/jobs/{JOB}:watch HTTP/1.1", "host: edge", "connection: close", "", "")
    writer.write("\r\n".join(lines).encode())
    told = (await asyncio.wait_for(reader.read(), 10)).decode()
    writer.close()
    await writer.wait_closed()
    body, trailers = told.split("\r\n0\r\n")
    assert "data: {}" in body
    assert "grpc-status: 14" in trailers.splitlines()
    assert "grpc-message: the database is down" in trailers.splitlines()


async def test_a_raw_body_arrives_as_it_was_sent(edge, http, received):
    sent = bytes(range(256)) * 1024
    url = f"{edge.url}/mesh/v1/vision:describeUpload?prompt=what%20is%20it%3F"
    async with http.post(url, data=sent, headers={"content-type": "image/png"}) as answer:
        assert answer.status == 200
    request = received[0].requests[0]
    assert (request.image.data, request.image.content_type) == (sent, "image/png")
    assert request.prompt == "what is it?"


@pytest.mark.parametrize("size", [limits.BODY_BYTES, limits.BODY_BYTES - limits.MEBIBYTE])
async def test_a_raw_body_up_to_the_limit_arrives(size, edge, http, received):
    async with http.post(
        f"{edge.url}/mesh/v1/audio:transcribe", data=io.BytesIO(bytes(size))
    ) as answer:
        assert answer.status == 200
    assert len(received[0].requests[0].audio.data) == size


async def test_a_large_picture_in_json_arrives(edge, http, received):
    sent = bytes(23 * limits.MEBIBYTE)
    body = {"image": {"data": base64.b64encode(sent).decode()}, "prompt": "after it"}
    data = io.BytesIO(json.dumps(body).encode())
    async with http.post(f"{edge.url}/mesh/v1/vision:describe", data=data) as answer:
        assert answer.status == 200
    request = received[0].requests[0]
    assert request.image.data == sent
    assert request.prompt == "after it"


@pytest.mark.parametrize("path", ["audio:transcribe", "vision:describe"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused(path, chunked, edge, http, received):
    async def chunks():
        for _ in range(limits.BODY_BYTES // limits.MEBIBYTE + 1):
            yield b" " * limits.MEBIBYTE

    data = chunks() if chunked else io.BytesIO(b" " * (limits.BODY_BYTES + 1))
    async with http.post(f"{edge.url}/mesh/v1/{path}", data=data) as answer:
        assert answer.status == 413
        code, reason, message = problem(await answer.json())
    assert (code, reason) == (3, "BODY_TOO_LARGE")
    assert "/mesh/v1/audio:transcribeStream" in message
    assert "32 MiB" in message
    assert received == []


PACKED = ("/mesh/v1/jobs", "/mesh/v1/vision:describeUpload", "/api/v1/generate", "/v1/models")


@pytest.mark.parametrize("path", PACKED)
@pytest.mark.parametrize("packing", ["gzip", "br", "GZIP, identity"])
async def test_a_packed_body_is_refused_unpacked(path, packing, edge, http, received):
    packed = gzip.compress(bytes(limits.BODY_BYTES + 1))
    headers = {"content-type": "application/json", "content-encoding": packing}
    async with http.post(edge.url + path, data=packed, headers=headers) as answer:
        told = await answer.json()
    assert answer.status == 415
    words = told["error"]["message"] if path.startswith("/v1/") else told["message"]
    assert words.endswith("send it without Content-Encoding")
    assert received == []


async def test_a_body_that_says_that_it_is_not_packed_is_taken(edge, http, received):
    headers = {"content-type": "image/jpeg", "content-encoding": "identity"}
    upload = f"{edge.url}/mesh/v1/vision:describeUpload"
    async with http.post(upload, data=b"pixels", headers=headers) as answer:
        assert answer.status == 200
    assert received


BAD_JSON = {
    "cut": (b'{"type": ', "MALFORMED_REQUEST", "", "Unexpected end of string"),
    "no json": (b"type=caption_v1", "MALFORMED_REQUEST", "", "type=caption_v1"),
    "no text": (b'{"type": "\xff"}', "MALFORMED_REQUEST", "", "non UTF-8"),
    "an array": (b"[1]", "MALFORMED_REQUEST", "", "must be a message"),
    "an unknown field": (b'{"tipe": "a"}', "UNKNOWN_FIELD", "tipe", "there is no such field"),
    "an unknown field deep inside": (
        b'{"input": {"captionV1": {"images": [{}, {"id": "a\\"{", "date": [1]}]}}}',
        "UNKNOWN_FIELD",
        "input.captionV1.images[1].date",
        "there is no such field",
    ),
    "an unknown field with a hostile name": (
        b'{"%REQ(:path)% %0 \xc3\xa9": 1}',
        "UNKNOWN_FIELD",
        "%REQ(:path)% %0 \u00e9",
        "there is no such field",
    ),
    "text for an object": (b'{"input": "x"}', "MALFORMED_REQUEST", "input", "input: invalid"),
    "an object for text": (b'{"type": {"a": 1}}', "MALFORMED_REQUEST", "type", "scalar field"),
    "a number for text": (b'{"type": 5}', "MALFORMED_REQUEST", "type", "invalid value 5"),
    "text that looks like our own": (
        b'{"type": 5, "request_id": "\\"field\\":\\"unread\\""}',
        "MALFORMED_REQUEST",
        "type",
        "invalid value 5",
    ),
    "no base64": (
        b'{"input": {"caption_v1": {"images": [{"data": "!"}]}}}',
        "MALFORMED_REQUEST",
        "input.caption_v1.images[0].data",
        'invalid value "!"',
    ),
    "no time": (
        b'{"input": {"caption_v1": {"images": [{"capture_time": "noon"}]}}}',
        "MALFORMED_REQUEST",
        "input.caption_v1.images[0].capture_time",
        "Illegal timestamp format",
    ),
    "two inputs": (
        b'{"input": {"caption_v1": {}, "transcription_v1": {}}}',
        "MALFORMED_REQUEST",
        "input",
        "transcription_v1",
    ),
    "no depth": (b'{"client_data": ' + b'{"a":' * 5000, "MALFORMED_REQUEST", "", ""),
}


@pytest.mark.parametrize("case", BAD_JSON)
async def test_bad_json_is_refused_with_the_place_and_the_remedy(case, edge, http, received):
    body, reason, field, says = BAD_JSON[case]
    headers = {"content-type": "application/json"}
    async with http.post(f"{edge.url}/mesh/v1/jobs", data=body, headers=headers) as answer:
        assert answer.status == 400
        assert answer.content_type == "application/json"
        assert not [name for name in answer.headers if name.lower().startswith("x-mesh")]
        told = await answer.json()
    code, said, message = problem(told)
    assert (code, said) == (3, reason)
    assert says in message
    assert told["details"][0]["metadata"]["remedy"] in message
    (violation,) = told["details"][1]["field_violations"]
    assert violation["field"] == field
    assert says in violation["description"]
    assert received == []


@pytest.mark.parametrize(
    "client_data",
    [
        {"any": {"depth": [{"of": 'f"ields'}, [1.5e3, True, None]]}},
        {},
        {"\\": "\\", "tipe": "\\\\"},
    ],
)
async def test_free_form_fields_may_hold_anything(client_data, edge, http, received):
    body = {"clientData": client_data, "type": "after"}
    async with http.post(f"{edge.url}/mesh/v1/jobs", json=body) as answer:
        assert answer.status == 200, await answer.text()
    assert received[0].requests[0].type == "after"
    assert dict(received[0].requests[0].client_data).keys() == client_data.keys()


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/mesh/v1/jobs?colour=red", "colour"),
        ("/mesh/v1/jobs?page_size=many", "page_size"),
        ("/mesh/v1/jobs?state=asleep", "state"),
    ],
)
async def test_a_bad_query_is_refused_by_name(path, field, edge, http, received):
    async with http.get(edge.url + path) as answer:
        assert answer.status == 400
        told = await answer.json()
    code, reason, message = problem(told)
    assert (code, reason) == (3, "MALFORMED_REQUEST")
    assert field in message
    assert told["details"][1]["field_violations"][0]["field"] == field
    assert received == []


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/mesh/v1/nothing"),
        ("DELETE", "/mesh/v1/jobs"),
        ("GET", "/mesh/"),
        ("POST", CREATE),
        ("POST", "/mesh.jobs.v1.JobService/Nothing"),
    ],
)
async def test_a_call_that_the_contract_lacks_is_told_apart(verb, path, edge, http, received):
    async with http.request(verb, edge.url + path) as answer:
        assert answer.status == 404
        code, reason, message = problem(await answer.json())
    assert (code, reason) == (5, "NO_SUCH_CALL")
    assert f"nothing answers {verb} {path};" in message
    assert received == []


async def test_headers_over_the_limit_are_refused(edge, http):
    headers = {"x-long": "a" * (limits.HEADER_KIBIBYTES + 1) * 1024}
    async with http.get(f"{edge.url}/mesh/v1/jobs", headers=headers) as answer:
        assert answer.status == 431
        assert problem(await answer.json())[1] == "HEADERS_TOO_LARGE"


@pytest.mark.parametrize(
    "path",
    ["/mesh/v1/queue:stats", "/mesh/v1/vision/model", "/mesh/v1/audio/model", "/api/v1/jobs"],
)
async def test_a_room_that_is_down_is_told_with_the_time_to_try_again(path, lonely_edge, http):
    async with http.get(lonely_edge.url + path) as answer:
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        body = await answer.json()
    code, reason, message = problem(body)
    assert (code, reason) == (14, "UNAVAILABLE")
    assert "127.0.0.1" not in message
    assert ("detail" in body) is not path.startswith("/mesh/")
    assert body["details"][1] == {
        "@type": "type.googleapis.com/google.rpc.RetryInfo",
        "retry_delay": "1s",
    }


async def test_a_room_that_is_down_is_told_to_grpc_callers_too(lonely_edge):
    async with client.channel(lonely_edge.address) as channel:
        with pytest.raises(errors.Unavailable) as refused:
            await client.call(lambda request, **options: rooms.call(channel, GET, **options), None)
    assert refused.value.retry_after.total_seconds() == 1
    assert "try again" in refused.value.remedy


async def test_a_call_that_outlives_its_deadline_is_ended(
    tmp_path, mesh, http, received, monkeypatch
):
    monkeypatch.setattr(limits, "UNARY_DEADLINE", timedelta(seconds=1))
    mesh.answers[LIST] = [rooms.Gate()]
    async with (
        edges.running(tmp_path, mesh.targets) as hasty_edge,
        http.get(f"{hasty_edge.url}/mesh/v1/jobs") as answer,
    ):
        assert answer.status == 504
        # The edge and the room look at the same deadline; either may be the first to tell.
        assert (await answer.json())["code"] == 4


async def test_a_recording_may_take_longer_than_other_calls(
    tmp_path, mesh, http, received, monkeypatch
):
    monkeypatch.setattr(limits, "UNARY_DEADLINE", timedelta(seconds=1))
    hearing, listing = rooms.Gate(), rooms.Gate()
    heard = rooms.message("mesh.audio.v1.TranscribeUploadResponse", model="ears")
    mesh.answers |= {UPLOAD: [hearing, heard], LIST: [listing]}
    async with edges.running(tmp_path, mesh.targets) as hasty_edge, asyncio.TaskGroup() as group:
        url = f"{hasty_edge.url}/mesh/v1/audio:transcribe"
        sending = group.create_task(http.post(url, data=b"hours"))
        await hearing.reached.wait()
        async with http.get(f"{hasty_edge.url}/mesh/v1/jobs") as other:
            assert other.status == 504
        hearing.opened.set()
        async with await sending as answer:
            assert (answer.status, (await answer.json())["model"]) == (200, "ears")


async def test_how_far_a_recording_is_comes_as_server_sent_events(edge, http, mesh, received):
    name = "mesh.audio.v1.TranscribeUploadStreamResponse"
    gate = rooms.Gate()
    mesh.answers[STREAM] = [
        rooms.message(name, progress={"heard": {"seconds": 300}}),
        gate,
        rooms.message(name, final={"transcript": {"text": "hello"}}),
    ]
    url = f"{edge.url}/mesh/v1/audio:transcribeStream?language=en"
    async with http.post(url, data=b"hours") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        first = await answer.content.readline()
        assert json.loads(first.removeprefix(b"data: "))["progress"] == {"heard": "300s"}
        gate.opened.set()
        assert b"hello" in await answer.read()
    [call] = received
    assert b"".join(part.audio.data for part in call.requests) == b"hours"
    assert call.requests[0].language == "en"


async def test_a_recording_of_any_size_comes_through_in_parts(edge, http, received):
    parts = [
        bytes([at]) * limits.MEBIBYTE for at in range(limits.BODY_BYTES // limits.MEBIBYTE + 8)
    ]

    async def recording():
        for part in parts:
            yield part

    asked = "language=en&words=true&hints=Ada&hints=Bo"
    url = f"{edge.url}/mesh/v1/audio:transcribeStream?{asked}"
    async with http.post(url, data=recording()) as answer:
        assert answer.status == 200
    [call] = received
    assert b"".join(part.audio.data for part in call.requests) == b"".join(parts)
    assert max(len(part.audio.data) for part in call.requests) <= 2 * limits.MEBIBYTE
    first = call.requests[0]
    assert (first.language, first.words, list(first.hints)) == ("en", True, ["Ada", "Bo"])


async def test_health_and_reflection_are_not_for_the_world(channel):
    with pytest.raises(grpc.RpcError) as refused:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    reflect = channel.unary_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    with pytest.raises(grpc.RpcError) as refused:
        await anext(aiter(reflect(b"")))
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_the_edge_tells_its_own_health(edge, lonely_edge, http):
    for healthy in (edge, lonely_edge):
        async with http.get(f"{healthy.url}/healthz") as answer:
            assert answer.status == 200


async def test_everything_else_is_the_bridges(edge, http):
    async with http.post(f"{edge.url}/api/v1/jobs?limit=3", json={"tipe": 1}) as answer:
        assert (await answer.json())["path"] == "/api/v1/jobs?limit=3"


async def test_a_websocket_reaches_the_bridge(edge, http):
    for path in SOCKETS:
        async with http.ws_connect(f"{edge.url}{path}", headers=SPOOFED) as socket:
            assert await socket.receive_str(timeout=5) == "open"
            await socket.send_str("through the edge")
            assert await socket.receive_str(timeout=5) == "through the edge"


SOCKETS = ("/api/v1/ws", "/vila", "/", "/ws/audio")
SPOOFED = {"x-mesh-tenant": "victim", "X-Mesh-Key": "good", "x_mesh_tenant": "victim"}


async def test_nobody_can_say_from_outside_which_tenant_it_is(edge, http, channel, received):
    async with http.get(f"{edge.url}/mesh/v1/jobs", headers=SPOOFED) as answer:
        assert answer.status == 200
    await rooms.call(channel, LIST, metadata=[("x-mesh-tenant", "victim")])
    assert len(received) == 2
    for call in received:
        assert not [name for name in call.metadata if name.replace("_", "-").startswith("x-mesh-")]
    async with http.get(f"{edge.url}/api/v1/jobs", headers=SPOOFED) as answer:
        headers = (await answer.json())["headers"]
    assert "victim" not in headers.values()


@pytest.mark.parametrize(
    ("said", "counts"), [("job", "job"), ("live", ""), ("interactive", ""), ("LIVE", ""), ("", "")]
)
@pytest.mark.parametrize("name", ["x-mesh-priority", "asked-priority"])
async def test_a_caller_may_step_behind_others_and_never_before_them(
    name, said, counts, edge, http, channel, received
):
    async with http.get(f"{edge.url}/mesh/v1/jobs", headers={name: said}) as answer:
        assert answer.status == 200
    await rooms.call(channel, LIST, metadata=[(name, said)])
    async with http.get(f"{edge.url}/api/v1/jobs", headers={name: said}) as answer:
        bridged = (await answer.json())["headers"]
    for metadata in (received[0].metadata, received[1].metadata, bridged):
        assert Priority.read(metadata.get("x-mesh-priority", "")) == (counts or "interactive")
        assert "asked-priority" not in metadata


CARRIERS = {
    "bearer": lambda key: {"headers": {"authorization": f"Bearer {key}"}},
    "header": lambda key: {"headers": {"x-api-key": key}},
    "query": lambda key: {"params": {"api_key": key}},
}


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_key_opens_the_edge_and_names_the_tenant(carrier, guarded_edge, http, received):
    sent = CARRIERS[carrier](keys.ACME)
    sent["headers"] = sent.get("headers", {}) | SPOOFED
    async with http.get(f"{guarded_edge.url}/mesh/v1/jobs", **sent) as answer:
        assert answer.status == 200, await answer.text()
    assert received[0].metadata["x-mesh-tenant"] == "acme"
    assert keys.ACME not in str(received[0].metadata), "the key itself went on"
    async with http.get(f"{guarded_edge.url}/api/v1/jobs", **sent) as answer:
        told = await answer.json()
    assert told["headers"]["x-mesh-tenant"] == "acme"
    assert keys.ACME not in str(told), "the key itself went on"


async def test_a_key_opens_the_edge_to_grpc_callers(guarded_edge, received):
    async with client.channel(guarded_edge.address) as channel:
        await rooms.call(channel, LIST, metadata=[("authorization", f"Bearer {keys.ACME}")])
    assert received[0].metadata["x-mesh-tenant"] == "acme"


async def test_a_key_without_a_tenant_is_of_the_default_tenant(guarded_edge, http, received):
    sent = {"headers": {"x-api-key": keys.NO_TENANT} | SPOOFED}
    async with http.get(f"{guarded_edge.url}/mesh/v1/jobs", **sent) as answer:
        assert answer.status == 200
    assert "x-mesh-tenant" not in received[0].metadata


@pytest.mark.parametrize("key", ["EXPIRED", "FOREIGN_ISSUER", "FORGED", "UNSIGNED", "ENDLESS"])
@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("path", ["/mesh/v1/jobs", "/api/v1/jobs"])
async def test_a_key_that_is_not_good_opens_nothing(
    key, carrier, path, guarded_edge, http, received
):
    sent = CARRIERS[carrier](getattr(keys, key))
    async with http.get(guarded_edge.url + path, **sent) as answer:
        assert answer.status == 401
        code, reason, message = problem(await answer.json())
    assert (code, reason) == (16, "UNAUTHENTICATED")
    assert "x-api-key" in message
    assert received == []


async def test_without_a_key_the_edge_is_closed(guarded_edge, http, received):
    for path in ("/mesh/v1/jobs", "/mesh/v1/nothing", "/api/v1/jobs", "/"):
        async with http.get(guarded_edge.url + path) as answer:
            assert answer.status == 401
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(f"{guarded_edge.url}/api/v1/jobs")
    assert refused.value.status == 401
    async with client.channel(guarded_edge.address) as channel:
        with pytest.raises(errors.Unauthenticated):
            await client.call(lambda request, **options: rooms.call(channel, GET, **options), None)
    assert received == []


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("key", ["", "EXPIRED", "FORGED", "UNSIGNED", "ENDLESS"])
async def test_a_socket_whose_key_is_refused_is_marked_for_the_bridge(
    path, key, guarded_edge, http
):
    params = {"api_key": getattr(keys, key)} if key else {}
    url = guarded_edge.url + path
    async with http.ws_connect(url, params=params, headers=SPOOFED) as socket:
        assert await socket.receive_str(timeout=5) == "refused"


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_socket_whose_key_is_good_is_not(path, carrier, guarded_edge, http):
    for key in (keys.ACME, keys.NO_TENANT):
        async with http.ws_connect(guarded_edge.url + path, **CARRIERS[carrier](key)) as socket:
            assert await socket.receive_str(timeout=5) == "sensorium"


@pytest.mark.parametrize("path", [*SOCKETS, "/api/v1/jobs", "/mesh/v1/jobs"])
@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "websocket, h2c"])
async def test_nothing_else_comes_in_without_a_key_by_asking_for_a_socket(
    path, upgrade, guarded_edge, received
):
    reading, writing = await asyncio.open_connection(*guarded_edge.address.split(":"))
    head = f"GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: {upgrade}\r\nx-mesh-key: good\r\n\r\n"
    writing.write(head.encode())
    async with asyncio.timeout(10):
        status = await reading.readline()
        answer = await reading.readuntil(b"\r\n\r\n")
        if b" 401 " not in status:
            length = int(re.search(rb"content-length: (\d+)", answer)[1])
            assert await reading.readexactly(length) == b"refused"
    writing.close()
    await writing.wait_closed()
    assert received == []


async def test_a_preflight_needs_no_key(guarded_edge, http):
    headers = {"origin": "https://a.example", "access-control-request-method": "POST"}
    async with http.options(f"{guarded_edge.url}/api/v1/jobs", headers=headers) as answer:
        assert answer.status == 200


async def test_no_key_and_no_query_is_logged_or_traced(edge, guarded_edge, http, collector):
    secret, trace = uuid.uuid4().hex, uuid.uuid4().hex
    headers = {"x-api-key": secret, "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    for url in (edge.url, guarded_edge.url):
        for path in ("/mesh/v1/vision:describeUpload", "/mesh/v1/nothing", "/api/v1/jobs"):
            params = {"api_key": secret, "prompt": f"read {secret} to me"}
            async with http.post(url + path, params=params, headers=headers, data=b"-"):
                pass
    await collector.wait_for(
        lambda: len([it for it in collector.spans if it.trace_id == trace]) >= 5
    )
    assert secret not in str(collector.spans)
    for each, last in ((edge, "/api/v1/jobs"), (guarded_edge, '"status":401')):
        assert secret not in await each.logged(last)


async def test_a_trace_goes_on_through_the_edge(edge, http, received, collector):
    trace = uuid.uuid4().hex
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    async with http.get(f"{edge.url}/mesh/v1/jobs", headers=headers) as answer:
        assert answer.status == 200
    _, told, parent, _ = received[0].metadata["traceparent"].split("-")
    assert told == trace
    spans = await collector.wait_for(
        lambda: (
            found
            if len(found := [it for it in collector.spans if it.trace_id == trace]) == 2
            else None
        )
    )
    ingress, egress = sorted(spans, key=lambda span: span.parent_id != "00f067aa0ba902b7")
    assert {ingress.service, egress.service} == {"gateway"}
    assert egress.parent_id == ingress.span_id
    assert egress.span_id == parent
