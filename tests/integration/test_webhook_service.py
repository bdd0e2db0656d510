"""The jobs room's webhooks over a real channel and a real PostgreSQL: what clients see of them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
from mesh.jobs.v1 import job_input_pb2, job_pb2, job_service_pb2
from mesh.jobs.v1 import webhook_service_pb2 as pb
from mesh.jobs.v1.job_service_pb2_grpc import JobServiceStub, add_JobServiceServicer_to_server
from mesh.jobs.v1.webhook_service_pb2_grpc import (
    WebhookServiceStub,
    add_WebhookServiceServicer_to_server,
)
from mesh.types.v1 import image_pb2
from standardwebhooks import Webhook as Standard

from services.chassis import client
from services.chassis.clock import SystemClock
from services.chassis.config import RoomConfig
from services.chassis.server import Server
from services.jobs.adapters.postgres import (
    PostgresDeliveryStore,
    PostgresJobQueue,
    PostgresOutbox,
)
from services.jobs.adapters.receiver import HttpReceiver
from services.jobs.domain import JobError
from services.jobs.rpc import JobServicer
from services.jobs.webhook_rpc import WebhookServicer
from services.jobs.webhooks.core import Webhooks
from services.jobs.webhooks.domain import Answer, DeliveryState, Outcome
from services.jobs.webhooks.policy import Policy
from services.jobs.webhooks.sending import Sender
from services.jobs.webhooks.signing import Signer
from services.media.guard import Guard
from tests.doubles import media_keeping
from tests.doubles.pictures import scene_png

KEYS = (b"a new key  " * 3, b"an old key " * 3)
LEASE = timedelta(minutes=1)
DEAD = Outcome(DeliveryState.DEAD, Answer(410, "it answered 410"))
HOOK = job_pb2.Webhook(url="https://client.example/done?token=hush")
ALL = pb.ListWebhookDeliveriesRequest()


@pytest.fixture
async def channel(database) -> AsyncIterator[grpc.aio.Channel]:
    guard, signer = Guard(["127.0.0.0/8"]), Signer(KEYS)
    policy = Policy(guard, http=False)
    server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    async with HttpReceiver(guard) as http:
        sender = Sender(http, signer, SystemClock())
        webhooks = Webhooks(PostgresDeliveryStore(database), sender, signer, policy)
        server.add(
            add_JobServiceServicer_to_server,
            JobServicer(media_keeping.jobs(database, policy=policy)),
            job_service_pb2.DESCRIPTOR.services_by_name["JobService"],
        )
        server.add(
            add_WebhookServiceServicer_to_server,
            WebhookServicer(webhooks, SystemClock()),
            pb.DESCRIPTOR.services_by_name["WebhookService"],
        )
        async with server.running() as address, client.channel(address) as opened:
            yield opened


@pytest.fixture
def stub(channel) -> WebhookServiceStub:
    return WebhookServiceStub(channel)


@pytest.fixture
def jobs(channel) -> JobServiceStub:
    return JobServiceStub(channel)


def of(tenant):
    return {"metadata": [("x-mesh-tenant", tenant)]}


async def create(jobs, webhook=HOOK, tenant="acme"):
    images = [image_pb2.Image(data=scene_png())]
    given = job_input_pb2.JobInput(caption_v1=job_input_pb2.CaptionInput(images=images))
    request = job_service_pb2.CreateJobRequest(type="caption_v1", input=given, webhook=webhook)
    return (await jobs.CreateJob(request, **of(tenant))).job


async def ended(jobs, database, tenant="acme"):
    job = await create(jobs, tenant=tenant)
    queue = PostgresJobQueue(database)
    [claim] = await queue.claim("worker-1", limit=1, lease=LEASE)
    await queue.fail(claim, JobError("NO", "it cannot be done", retryable=False))
    return job


async def given_up(database):
    outbox = PostgresOutbox(database)
    for shipment in await outbox.claim(limit=10, per_host=10, busy={}, lease=LEASE):
        await outbox.settle(shipment, DEAD)


async def test_a_job_tells_its_webhook_to_its_tenant(jobs):
    job = await create(jobs)
    assert (job.webhook.url, job.webhook.format) == (HOOK.url, job_pb2.WEBHOOK_FORMAT_MESH)
    request = job_service_pb2.GetJobRequest(id=job.id)
    assert (await jobs.GetJob(request, **of("acme"))).job.webhook == job.webhook


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://client.example/", "is not encrypted"),
        ("https://me:hush@client.example/", "may not carry a name or a password"),
        ("https://10.0.0.7/", "the address is not public"),
        ("https://169.254.169.254/latest", "the address is not public"),
        ("https://[::1]/", "the address is not public"),
        ("https://client.example:22/", "the port is not one of the web's"),
        ("https://", "only http and https"),
        ("ftp://client.example/", "must begin with http:// or https://"),
        ("https://client.example/" + "a" * 2048, "2048"),
    ],
)
async def test_an_address_that_will_not_be_called_is_refused_by_its_field(jobs, url, problem):
    with pytest.raises(grpc.RpcError) as refused:
        await create(jobs, job_pb2.Webhook(url=url))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details().startswith("webhook.url: ")
    assert problem in refused.value.details()
    assert "hush" not in refused.value.details()


async def test_a_retry_is_held_to_the_same_addresses_and_may_name_nobody(jobs, database):
    job = await ended(jobs, database)
    asked = job_service_pb2.RetryJobRequest(id=job.id, webhook={"url": "https://10.0.0.7/"})
    with pytest.raises(grpc.RpcError) as refused:
        await jobs.RetryJob(asked, **of("acme"))
    assert refused.value.details().startswith("webhook.url: ")
    asked = job_service_pb2.RetryJobRequest(id=job.id, webhook={"url": ""})
    assert not (await jobs.RetryJob(asked, **of("acme"))).job.HasField("webhook")


async def test_a_job_may_name_nobody(jobs):
    assert not (await create(jobs, job_pb2.Webhook(url=""))).HasField("webhook")


async def test_a_host_that_the_operator_allows_may_be_called_over_http(jobs):
    webhook = job_pb2.Webhook(url="http://127.0.0.1:9000/done")
    assert (await create(jobs, webhook)).webhook.url == webhook.url


async def test_deliveries_are_told_page_by_page_and_by_job_and_state(stub, jobs, database):
    made = [await ended(jobs, database) for _ in range(3)]
    await given_up(database)
    made.append(await ended(jobs, database))
    first = await stub.ListWebhookDeliveries(
        pb.ListWebhookDeliveriesRequest(page_size=2), **of("acme")
    )
    rest = await stub.ListWebhookDeliveries(
        pb.ListWebhookDeliveriesRequest(page_token=first.next_page_token), **of("acme")
    )
    assert rest.next_page_token == ""
    listed = [*first.deliveries, *rest.deliveries]
    assert [it.job_id for it in listed] == [job.id for job in made[::-1]]
    for chosen, found in (
        ({"job_id": made[1].id}, [made[1].id]),
        ({"state": pb.WEBHOOK_DELIVERY_STATE_PENDING}, [made[3].id]),
        ({"state": pb.WEBHOOK_DELIVERY_STATE_DELIVERED}, []),
    ):
        request = pb.ListWebhookDeliveriesRequest(**chosen)
        page = await stub.ListWebhookDeliveries(request, **of("acme"))
        assert [it.job_id for it in page.deliveries] == found


async def test_a_delivery_says_what_became_of_it_and_is_replayed(stub, jobs, database):
    await ended(jobs, database)
    await given_up(database)
    [dead] = (await stub.ListWebhookDeliveries(ALL, **of("acme"))).deliveries
    assert dead.state == pb.WEBHOOK_DELIVERY_STATE_DEAD
    assert dead.job_state == job_pb2.JOB_STATE_FAILED
    assert dead.webhook.url == HOOK.url
    assert (dead.attempts, dead.last_status, dead.last_problem) == (1, 410, "it answered 410")
    assert not dead.HasField("next_attempt_time")
    asked = pb.ReplayWebhookDeliveryRequest(id=dead.id)
    replayed = (await stub.ReplayWebhookDelivery(asked, **of("acme"))).delivery
    assert (replayed.id, replayed.state) == (dead.id, pb.WEBHOOK_DELIVERY_STATE_PENDING)
    asked = pb.GetWebhookDeliveryRequest(id=dead.id)
    assert (await stub.GetWebhookDelivery(asked, **of("acme"))).delivery == replayed


async def test_nothing_of_a_webhook_crosses_to_another_tenant(stub, jobs, database):
    job = await ended(jobs, database)
    [mine] = (await stub.ListWebhookDeliveries(ALL, **of("acme"))).deliveries
    for asked in (ALL, pb.ListWebhookDeliveriesRequest(job_id=job.id)):
        assert not (await stub.ListWebhookDeliveries(asked, **of("other"))).deliveries
    for call in (
        stub.GetWebhookDelivery(pb.GetWebhookDeliveryRequest(id=mine.id), **of("other")),
        stub.ReplayWebhookDelivery(pb.ReplayWebhookDeliveryRequest(id=mine.id), **of("other")),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    mine_told, theirs = [
        (await stub.ListWebhookSecrets(pb.ListWebhookSecretsRequest(), **of(it))).secrets
        for it in ("acme", "other")
    ]
    assert len({*mine_told, *theirs}) == 4
    # A token says where a page begins, not whose: it shows a stranger only what is his.
    await ended(jobs, database)
    page = await stub.ListWebhookDeliveries(
        pb.ListWebhookDeliveriesRequest(page_size=1), **of("acme")
    )
    asked = pb.ListWebhookDeliveriesRequest(page_token=page.next_page_token)
    assert not (await stub.ListWebhookDeliveries(asked, **of("other"))).deliveries


@pytest.mark.parametrize("unknown", ["x", "msg_", f"msg_{7:032x}_1", "msg_1_1", "é"])
async def test_a_delivery_that_there_is_not_is_not_found(stub, unknown):
    with pytest.raises(grpc.RpcError) as refused:
        await stub.GetWebhookDelivery(pb.GetWebhookDeliveryRequest(id=unknown))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


FORMATS = [it for it in job_pb2.WebhookFormat.values() if it]


@pytest.mark.parametrize("format", FORMATS, ids=map(job_pb2.WebhookFormat.Name, FORMATS))
async def test_a_test_message_is_signed_as_any_other(stub, hook, format):
    webhook = job_pb2.Webhook(url=hook.url, format=format)
    answer = await stub.TestWebhook(pb.TestWebhookRequest(webhook=webhook), **of("acme"))
    assert (answer.delivered, answer.status, answer.problem) == (True, 200, "")
    secrets = (await stub.ListWebhookSecrets(pb.ListWebhookSecretsRequest(), **of("acme"))).secrets
    [message] = hook.received
    for secret in secrets:
        told = Standard(secret).verify(message.body, message.headers)
        assert "This is a test." in str(told)


async def test_a_test_tells_what_went_wrong(stub, hook):
    hook.answers = [404]
    webhook = job_pb2.Webhook(url=hook.url)
    answer = await stub.TestWebhook(pb.TestWebhookRequest(webhook=webhook))
    assert (answer.delivered, answer.status) == (False, 404)
    assert answer.problem == "it answered 404"


async def test_a_test_goes_to_no_address_that_a_job_could_not_name(stub):
    webhook = job_pb2.Webhook(url="https://10.0.0.7/")
    with pytest.raises(grpc.RpcError) as refused:
        await stub.TestWebhook(pb.TestWebhookRequest(webhook=webhook))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_whoever_follows_a_job_late_hears_of_its_webhook_before_the_end(jobs, database):
    job = await ended(jobs, database)
    await given_up(database)
    request = job_service_pb2.WatchJobRequest(id=job.id)
    news = [it async for it in jobs.WatchJob(request, **of("acme"))]
    kinds = [job_pb2.JobEventKind.Name(it.event.kind) for it in news]
    assert kinds[-2:] == ["JOB_EVENT_KIND_FAILED", "JOB_EVENT_KIND_WEBHOOK_DEAD"]
    assert [it.event.sequence for it in news] == [1, 2, 3, 4]
    assert news[-1].event.text.endswith("_3: it answered 410")
