import asyncio
import base64
import io
import json
import os
import signal
import sys
import uuid
from datetime import timedelta

import pytest
import pytest_asyncio
from mesh.jobs.v1 import job_service_pb2_grpc as jobs_grpc

from gateway.bridge import server
from gateway.bridge.dialects import dialects
from gateway.openapi import documentation
from services.chassis import client, errors, limits
from services.chassis.config import ConfigError
from tests.doubles import bridge as bridges
from tests.doubles import rooms

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")

JOB = str(uuid.uuid4())
SERVICE = "/mesh.jobs.v1.JobService"
INPUT = {
    "prompt": "A worker is stocking the shelf",
    "vlm_prompt": "What is happening?",
    "webhook_url": "",
    "images": [base64.b64encode(b"pixels").decode()],
}
CREATE = {
    "job_type": "task_timing_v1",
    "domain_id": "the-domain",
    "query": {"ids": []},
    "input": INPUT,
}
COMMAND = (sys.executable, "-m", "gateway.bridge")


@pytest.fixture(autouse=True)
def received(mesh):
    mesh.received.clear()
    mesh.answers.clear()
    made = {"id": JOB, "type": "task_timing_v1", "state": 1}
    for method in ("CreateJob", "GetJob", "RetryJob"):
        answer = rooms.message(f"mesh.jobs.v1.{method}Response", job=made)
        mesh.answers[f"{SERVICE}/{method}"] = [answer]
    return mesh.received


def application(channel):
    served = (*dialects(), documentation.of(dialects()))
    return server.application(served, {"JobService": jobs_grpc.JobServiceStub(channel)})


@in_module
async def bridge(mesh):
    config = bridges.config(jobs_target=mesh.targets["jobs"], drain_seconds=5)
    async with (
        client.channel(config.jobs_target) as channel,
        server.running(config, application(channel)) as address,
    ):
        yield address


@pytest.fixture(params=["straight", "through the edge"])
def url(request, bridge, edge):
    return f"http://{bridge}" if request.param == "straight" else edge.url


async def test_a_job_is_created_read_listed_and_retried(url, http, received):
    async with http.post(f"{url}/api/v1/jobs", json=CREATE) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "application/json"
        assert (await answer.json())["id"] == JOB
    async with http.get(f"{url}/api/v1/jobs/{JOB}") as answer:
        assert (await answer.json())["status"] == "pending"
    async with http.get(f"{url}/api/v1/jobs?limit=5&status=failed") as answer:
        assert await answer.json() == []
    again = {"job_type": "task_timing_v1", "input": INPUT}
    async with http.put(f"{url}/api/v1/jobs/{JOB}", json=again) as answer:
        assert answer.status == 200, await answer.text()
    assert [call.method for call in received] == [
        f"{SERVICE}/{method}"
        for method in ("CreateJob", "GetJob", "ListJobs", "GetJob", "RetryJob")
    ]
    assert received[2].requests[0].state == 5


CAPTIONS = {
    "type": "caption_v1",
    "state": 4,
    "output": {"caption_v1": {"captions": [{"text": "x"}]}},
}


async def test_a_caption_is_queued_read_and_counted(url, http, mesh, received):
    done = rooms.message("mesh.jobs.v1.GetJobResponse", job={"id": JOB, **CAPTIONS})
    counts = [{"type": "caption_v1", "state": 4, "jobs": 2}]
    mesh.answers[f"{SERVICE}/GetJob"] = [done]
    mesh.answers[f"{SERVICE}/GetQueueStats"] = [
        rooms.message("mesh.jobs.v1.GetQueueStatsResponse", counts=counts)
    ]
    sent = {"image_data": INPUT["images"][0], "webhook_url": "https://a.example/done"}
    async with http.post(f"{url}/caption/generate", json=sent) as answer:
        assert answer.status == 200, await answer.text()
        assert (await answer.json())["job_id"] == JOB
    assert received[0].requests[0].webhook.url == "https://a.example/done"
    async with http.get(f"{url}/caption/job/{JOB}") as answer:
        assert (await answer.json())["result"]["caption"] == "x"
    async with http.get(f"{url}/caption/stats") as answer:
        assert (await answer.json())["total_jobs"] == 2


async def test_a_full_queue_is_told_with_when_to_come_back(url, http, mesh):
    full = errors.Exhausted("50 wait", retry_after=timedelta(seconds=7))
    mesh.answers[f"{SERVICE}/CreateJob"] = [full]
    sent = {"image_data": INPUT["images"][0]}
    async with http.post(f"{url}/caption/generate", json=sent) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (503, "7")
        assert (await answer.json())["detail"].startswith("Queue is full")


async def test_errors_are_plain_text(url, http, mesh):
    mesh.answers[f"{SERVICE}/GetJob"] = [errors.NotFound("no job of this id")]
    for job_id in (JOB, "no-uuid"):
        async with http.get(f"{url}/api/v1/jobs/{job_id}") as answer:
            assert (answer.status, answer.content_type) == (404, "text/plain")
            assert await answer.text() == "Job not found"


async def test_the_room_works_for_the_tenant_that_the_edge_names(bridge, http, received):
    headers = {"x-mesh-tenant": "acme"}
    async with http.get(f"http://{bridge}/api/v1/jobs/{JOB}", headers=headers):
        pass
    assert received[0].metadata["x-mesh-tenant"] == "acme"


async def test_who_asks_for_less_hurry_gets_it(edge, http, received):
    headers = {"x-mesh-priority": "job"}
    async with http.get(f"{edge.url}/api/v1/jobs/{JOB}", headers=headers):
        pass
    assert received[0].metadata["x-mesh-priority"] == "job"


async def test_nobody_names_a_tenant_from_outside(edge, http, received):
    headers = {"x-mesh-tenant": "victim"}
    async with http.get(f"{edge.url}/api/v1/jobs/{JOB}", headers=headers):
        pass
    assert received[0].metadata["x-mesh-tenant"] == "default"


async def test_a_large_job_arrives_whole(url, http, received):
    pixels = os.urandom(20 * limits.MEBIBYTE)
    sent = CREATE | {"input": INPUT | {"images": [base64.b64encode(pixels).decode()]}}
    data = io.BytesIO(json.dumps(sent).encode())
    async with http.post(f"{url}/api/v1/jobs", data=data) as answer:
        assert answer.status == 200, await answer.text()
    assert received[0].requests[0].input.task_timing_v1.images[0].data == pixels


async def test_a_body_over_the_limit_is_refused_in_plain_text(url, http, received):
    data = io.BytesIO(b" " * (limits.BODY_BYTES + 1))
    async with http.post(f"{url}/api/v1/jobs", data=data) as answer:
        assert (answer.status, answer.content_type) == (413, "text/plain")
        assert "32 MiB" in await answer.text()
    assert received == []


async def test_a_room_that_is_down_is_told(http):
    config = bridges.config()
    async with (
        client.channel(config.jobs_target) as channel,
        server.running(config, application(channel)) as address,
        http.get(f"http://{address}/api/v1/jobs/{JOB}") as answer,
    ):
        assert (answer.status, answer.content_type) == (503, "text/plain")
        assert (await answer.text()).startswith("Failed to get job: ")


async def test_what_can_be_called_is_written_down(url, http, received):
    async with http.get(f"{url}/openapi.json") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert "/mesh/v1/jobs" in (await answer.json())["paths"]
    async with http.get(f"{url}/docs") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert "/caption/generate" in await answer.text()
    assert received == []


async def test_a_socket_that_is_not_there_says_so(url, http):
    headers = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": base64.b64encode(bytes(16)).decode(),
    }
    for path in ("/api/v1/jobs", "/nothing"):
        async with http.get(url + path, headers=headers) as answer:
            assert answer.status == 404
            assert await answer.text() == f"no WebSocket is served at {path}"


async def test_an_unknown_path_says_so(url, http):
    async with http.get(f"{url}/nothing") as answer:
        assert answer.status == 404
        told = await answer.text()
    assert told == "nothing answers GET /nothing; GET /docs lists what is served"


@pytest.mark.parametrize(
    ("verb", "path", "verbs", "shape"),
    [
        ("DELETE", "/api/v1/jobs", "GET, POST", "{}"),
        ("POST", "/api/v1/jobs/one", "GET, PUT", "{}"),
        ("GET", "/api/v1/generate", "POST", '{{"detail": "{}"}}'),
        ("PUT", "/vision/frame", "POST", '{{"detail": "{}"}}'),
        ("POST", "/health", "GET", '{{"detail": "{}"}}'),
        (
            *("GET", "/v1/chat/completions", "POST"),
            '{{"error": {{"message": "{}", "type": "invalid_request_error", "param": null, '
            '"code": null}}}}',
        ),
    ],
)
async def test_another_verb_is_told_which_ones_there_are(url, http, verb, path, verbs, shape):
    async with http.request(verb, url + path) as answer:
        assert (answer.status, answer.headers["allow"]) == (405, verbs)
        assert await answer.text() == shape.format(f"nothing answers {verb} {path}; use {verbs}")


async def test_a_failing_dialect_ends_in_an_error_and_the_bridge_lives(bridge, http, mesh, caplog):
    mesh.answers[f"{SERVICE}/GetJob"] = [rooms.message("mesh.jobs.v1.GetJobResponse")]
    async with http.get(f"http://{bridge}/api/v1/jobs/{JOB}") as answer:
        assert (answer.status, answer.content_type) == (500, "text/plain")
        assert await answer.text() == "something failed inside the mesh"
    assert "a dialect failed" in caplog.text
    async with http.get(f"http://{bridge}/healthz") as answer:
        assert answer.status == 200


async def test_a_taken_port_is_told(bridge):
    config = bridges.config(listen=bridge)
    async with client.channel(config.jobs_target) as channel:
        with pytest.raises(ConfigError, match="the port is taken"):
            async with server.running(config, application(channel)):
                pass


async def test_the_process_lets_a_request_finish_when_it_is_told_to_stop(http, mesh):
    gate = rooms.Gate()
    mesh.answers[f"{SERVICE}/GetJob"].insert(0, gate)
    rooms_told = {f"BRIDGE_{room.upper()}_TARGET": at for room, at in mesh.targets.items()}
    told = {"BRIDGE_LISTEN": "127.0.0.1:0", **rooms_told}
    bridge = await asyncio.create_subprocess_exec(
        *COMMAND, env=os.environ | told, stderr=asyncio.subprocess.PIPE
    )
    try:
        address = (await logged(bridge, "serving"))["address"]
        request = asyncio.create_task(http.get(f"http://{address}/api/v1/jobs/{JOB}"))
        await asyncio.wait_for(gate.reached.wait(), 10)
        bridge.send_signal(signal.SIGTERM)
        await logged(bridge, "draining")
        gate.opened.set()
        async with await request as answer:
            assert answer.status == 200
        await logged(bridge, "stopped")
        assert await asyncio.wait_for(bridge.wait(), 10) == 0
    finally:
        if bridge.returncode is None:
            bridge.kill()
            await bridge.wait()


async def test_a_process_without_its_settings_says_which_and_ends():
    clean = {key: it for key, it in os.environ.items() if not key.startswith("BRIDGE_")}
    bridge = await asyncio.create_subprocess_exec(
        *COMMAND, env=clean, stderr=asyncio.subprocess.PIPE
    )
    _, told = await asyncio.wait_for(bridge.communicate(), 30)
    assert bridge.returncode == 2
    assert b"BRIDGE_LISTEN" in told
    for room in (b"JOBS", b"VISION", b"REASONING", b"AUDIO"):
        assert b"BRIDGE_%s_TARGET" % room in told


async def logged(process, message):
    async with asyncio.timeout(30):
        while line := await process.stderr.readline():
            if (entry := json.loads(line)).get("message") == message:
                return entry
    raise AssertionError(f"it ended without logging {message!r}")
