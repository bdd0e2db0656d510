"""What the demo says to a mesh, as any client would: REST, server-sent events and gRPC on one port.

It knows the contract and no sample.
"""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from google.protobuf import json_format
from mesh.jobs.v1 import job_service_pb2 as pb
from mesh.jobs.v1 import job_service_pb2_grpc as pb_grpc

from sensorium.demo.samples import Task
from sensorium.errors import Trouble
from services.chassis import client
from services.chassis.errors import MeshError

Json = Mapping[str, Any]

QUIET_SECONDS: Final = 120.0
"""How long the mesh may say nothing before the demo gives up."""


def timing_job(task: Task, request_id: str) -> Json:
    """The job that asks when a task began and ended, as JSON."""
    images = [
        {
            "id": frame.id,
            "capture_time": frame.taken.isoformat(),
            "data": base64.b64encode(frame.data).decode(),
        }
        for frame in task.frames
    ]
    return {
        "request_id": request_id,
        "type": "task_timing_v1",
        "input": {"task_timing_v1": {"task": task.words, "images": images}},
    }


class Wire:
    """A connection to a mesh. What the mesh refuses is raised as `Trouble`, in its own words."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._address = urlsplit(url).netloc
        self._http = http

    async def post(self, path: str, **body: Any) -> Json:
        """Send a REST call and give its answer."""
        async with self._http.post(path, **body) as answer:
            return await _said(answer)

    async def watch(self, job_id: str) -> AsyncIterator[Json]:
        """Follow a job by server-sent events, until its end."""
        async with self._http.get(f"/mesh/v1/jobs/{job_id}:watch") as answer:
            if answer.status != 200:
                await _said(answer)
            async for line in answer.content:
                if line.startswith(b"data:"):
                    yield json.loads(line.removeprefix(b"data:"))

    async def create_over_grpc(self, job: Json) -> str:
        """Create a job over gRPC, through the same port, and give its id."""
        request = json_format.ParseDict(dict(job), pb.CreateJobRequest())
        try:
            async with client.channel(self._address) as channel:
                stub = pb_grpc.JobServiceStub(channel)
                reply = await client.call(stub.CreateJob, request, timeout=QUIET_SECONDS)
        except MeshError as refused:
            raise Trouble(f"creating the job over gRPC: {refused}") from None
        return str(reply.job.id)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Wire]:
    """Speak with a mesh for a block. Raises `Trouble` when it cannot be reached."""
    limits = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=QUIET_SECONDS)
    try:
        # A line of the watch holds a whole job.
        async with aiohttp.ClientSession(url, timeout=limits, read_bufsize=1 << 22) as http:
            yield Wire(url, http)
    except (aiohttp.ClientError, TimeoutError) as failed:
        raise Trouble(f"the mesh at {url} does not answer: {failed or 'timed out'}") from None


async def _said(answer: aiohttp.ClientResponse) -> Json:
    try:
        body = json.loads(await answer.text())
    except ValueError:
        body = None
    if answer.status == 200 and isinstance(body, dict):
        return body
    message = body.get("message") if isinstance(body, dict) else None
    raise Trouble(f"{answer.url.path} answered {answer.status}: {message or 'nothing readable'}")
