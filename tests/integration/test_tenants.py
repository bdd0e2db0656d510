"""What one tenant keeps in the jobs room, asked for by another, by every call that the room has."""

import base64
import os
import sys
from collections.abc import AsyncIterator

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from mesh.jobs.v1 import job_input_pb2, job_pb2, job_service_pb2, media_service_pb2
from mesh.jobs.v1 import webhook_service_pb2 as hook_pb
from mesh.jobs.v1.job_service_pb2_grpc import JobServiceStub
from mesh.jobs.v1.media_service_pb2_grpc import MediaServiceStub
from mesh.jobs.v1.webhook_service_pb2_grpc import WebhookServiceStub
from mesh.types.v1 import image_pb2

from sensorium.launcher import probes
from sensorium.launcher.child import Child
from sensorium.launcher.program import Program
from services.chassis import client, names
from tests.doubles.engine_llama import free_port
from tests.doubles.pictures import scene_png
from tests.doubles.silence import Silent

KEY = base64.b64encode(bytes(range(32))).decode()
OWNER, STRANGER = "acme", "other"


@pytest.fixture
async def channel(database_url, tmp_path) -> AsyncIterator[grpc.aio.Channel]:
    listen = f"127.0.0.1:{free_port()}"
    environment = {
        "JOBS_LISTEN": listen,
        "JOBS_DATABASE_URL": database_url,
        "JOBS_MEDIA_URL": tmp_path.as_uri(),
        "JOBS_WEBHOOK_KEYS": KEY,
        "JOBS_AUDIO_TARGET": "127.0.0.1:1",
        "JOBS_REASONING_TARGET": "127.0.0.1:1",
    }
    room = Child(
        Program(
            name="jobs",
            command=(sys.executable, "-m", "services.jobs"),
            tier=1,
            probe=probes.grpc_health(listen),
            environment=os.environ | environment,
        ),
        Silent(),
    )
    await room.start()
    try:
        async with client.channel(listen) as opened:
            yield opened
    finally:
        await room.stop()


class Asked:
    """The calls of one tenant."""

    def __init__(self, channel, tenant):
        self._metadata = [(names.TENANT_HEADER, tenant)]
        self._stubs = [
            JobServiceStub(channel),
            MediaServiceStub(channel),
            WebhookServiceStub(channel),
        ]

    async def __call__(self, name, **fields):
        [(stub, asked)] = [
            (stub, getattr(module, f"{name}Request"))
            for stub, module in zip(
                self._stubs, (job_service_pb2, media_service_pb2, hook_pb), strict=True
            )
            if hasattr(stub, name)
        ]
        answer = getattr(stub, name)(asked(**fields), metadata=self._metadata, timeout=20)
        if isinstance(answer, grpc.aio.UnaryStreamCall):
            return [message async for message in answer]
        return await answer


def captions(uri):
    given = job_input_pb2.CaptionInput(images=[image_pb2.Image(uri=uri)])
    return job_input_pb2.JobInput(caption_v1=given)


async def test_no_call_crosses_from_one_tenant_to_another(channel):
    owner, stranger = Asked(channel, OWNER), Asked(channel, STRANGER)
    body = HttpBody(content_type="image/png", data=scene_png())
    uri = (await owner("Upload", content=body)).uri
    media_id = uri.removeprefix("media://")
    webhook = job_pb2.Webhook(url="https://client.example/done")
    made = {"type": "caption_v1", "request_id": "order-7", "input": captions(uri)}
    job = (await owner("CreateJob", **made, webhook=webhook)).job
    await owner("CancelJob", id=job.id)
    [delivery] = (await owner("ListWebhookDeliveries")).deliveries
    before = await owner("GetJob", id=job.id)
    secrets = set((await owner("ListWebhookSecrets")).secrets)

    async def not_there(name, **fields):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stranger(name, **fields)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND, name

    async def listed(name, field):
        assert len(getattr(await owner(name), field)) == 1
        assert len(getattr(await stranger(name), field)) == 0

    async def creates_its_own():
        await not_there("CreateJob", **made)
        mine = (await stranger("Upload", content=body)).uri
        again = (await stranger("CreateJob", **made | {"input": captions(mine)})).job
        assert again.id != job.id
        await stranger("CancelJob", id=again.id)

    async def counts_its_own():
        assert sum(it.jobs for it in (await owner("GetQueueStats")).counts) == 1
        assert len((await Asked(channel, "third")("GetQueueStats")).counts) == 0

    async def deletes_nothing():
        await not_there("Delete", id=media_id)
        assert (await owner("Get", id=media_id)).content.data == body.data

    calls = {
        "ListJobs": lambda: listed("ListJobs", "jobs"),
        "ListWebhookDeliveries": lambda: listed("ListWebhookDeliveries", "deliveries"),
        "GetJob": lambda: not_there("GetJob", id=job.id),
        "RetryJob": lambda: not_there("RetryJob", id=job.id),
        "CancelJob": lambda: not_there("CancelJob", id=job.id),
        "WatchJob": lambda: not_there("WatchJob", id=job.id),
        "GetQueueStats": counts_its_own,
        "Get": lambda: not_there("Get", id=media_id),
        "Delete": deletes_nothing,
        "GetWebhookDelivery": lambda: not_there("GetWebhookDelivery", id=delivery.id),
        "ReplayWebhookDelivery": lambda: not_there("ReplayWebhookDelivery", id=delivery.id),
        "CreateJob": creates_its_own,
        # Says nothing of anybody's; what it sends is signed by the caller's own secrets.
        "TestWebhook": None,
        "Upload": None,
        "UploadStream": None,
        "ListWebhookSecrets": None,
    }
    services = [
        job_service_pb2.DESCRIPTOR.services_by_name["JobService"],
        media_service_pb2.DESCRIPTOR.services_by_name["MediaService"],
        hook_pb.DESCRIPTOR.services_by_name["WebhookService"],
    ]
    assert calls.keys() == {method.name for service in services for method in service.methods}
    for ask in filter(None, calls.values()):
        await ask()
    assert secrets.isdisjoint((await stranger("ListWebhookSecrets")).secrets)
    assert await owner("GetJob", id=job.id) == before
