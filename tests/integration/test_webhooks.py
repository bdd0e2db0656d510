"""Webhooks from a real PostgreSQL to real receivers over HTTP: what arrives, and what does not."""

import asyncio
import json
import os
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Standard
from standardwebhooks import WebhookVerificationError

from services.chassis.clock import SystemClock
from services.jobs import wire
from services.jobs.adapters.postgres import (
    PostgresDeliveryStore,
    PostgresJobQueue,
    PostgresJobStore,
    PostgresOutbox,
)
from services.jobs.adapters.receiver import HttpReceiver
from services.jobs.config import WorkerConfig
from services.jobs.content import Blob, CaptionInput, CaptionOutput, Image, JobType, Observation
from services.jobs.domain import JobEventKind, JobId, NewJob
from services.jobs.webhooks import schedule
from services.jobs.webhooks.deliverer import Deliverer
from services.jobs.webhooks.domain import DeliveryId, DeliveryState
from services.jobs.webhooks.ports import DeliverySelection
from services.jobs.webhooks.sending import Sender
from services.jobs.webhooks.signing import Signer
from services.jobs.webhooks.webhook import Webhook, WebhookFormat
from services.media.guard import Guard
from tests.doubles import receiver
from tests.doubles.engine_llama import free_port

TENANT = "acme"
OLD, NEW = b"an old key " * 3, b"a new key  " * 3
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
K, S = JobEventKind, DeliveryState


@pytest.fixture
def deliveries(database) -> PostgresDeliveryStore:
    return PostgresDeliveryStore(database)


class WatchedOutbox(PostgresOutbox):
    """Tells when an attempt has been settled."""

    def __init__(self, database):
        super().__init__(database)
        self.settled = asyncio.Event()

    async def settle(self, shipment, outcome):
        await super().settle(shipment, outcome)
        self.settled.set()


@asynccontextmanager
async def delivering(
    database, *, keys=(NEW, OLD), allow=("127.0.0.0/8",), **options
) -> AsyncIterator[WatchedOutbox]:
    """Run a deliverer in this process for a block."""
    fast = {"webhook_backoff_seconds": 0.02, "poll_seconds": 0.05, **options}
    config = WorkerConfig(listen="127.0.0.1:0", **fast)
    seconds = config.webhook_timeout_seconds
    async with HttpReceiver(Guard(allow), seconds=seconds) as http:
        sender = Sender(http, Signer(keys), SystemClock())
        outbox = WatchedOutbox(database)
        deliverer = Deliverer(outbox, sender, wire.message_of, config)
        async with deliverer.running():
            yield outbox


async def end(database, url, *, format=WebhookFormat.MESH, text="a box") -> JobId:
    """Make a job with a webhook and end it."""
    picture = Image("front", NOON, "images/0")
    new = NewJob(
        TENANT,
        JobType.CAPTION_V1,
        CaptionInput("what is there?", (picture,)),
        (Blob("images/0", "image/png", b"\x89PNG"),),
        client_data={"order": 7},
        webhook=Webhook(url, format),
    )
    job = await PostgresJobStore(database).create(new)
    queue = PostgresJobQueue(database)
    [claim] = await queue.claim("worker-1", limit=1, lease=timedelta(minutes=1))
    await queue.complete(claim, CaptionOutput((Observation("front", NOON, text),)))
    return job.id


async def settled(deliveries, job_id, *states):
    """Wait until the job's newest delivery is in one of the states."""
    selection = DeliverySelection(limit=1, job_id=job_id)
    with deliveries._database.bells.hung(str(job_id)) as bell:
        async with asyncio.timeout(30):
            while True:
                [delivery] = await deliveries.list(TENANT, selection)
                if delivery.state in states:
                    return delivery
                await bell.wait(1)


async def kinds(database, job_id):
    store = PostgresJobStore(database)
    events = await store.events(await store.get(TENANT, job_id), after=0)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    return [event.kind for event in events]


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_any_success_is_a_delivery(database, deliveries, hook, status):
    hook.answers = [status]
    job_id = await end(database, hook.url)
    async with delivering(database):
        delivery = await settled(deliveries, job_id, S.DELIVERED, S.DEAD)
    assert (delivery.state, delivery.last_status, delivery.attempts) == (S.DELIVERED, status, 1)
    assert hook.ids == [str(delivery.id)]
    assert await kinds(database, job_id) == [
        *(K.CREATED, K.CLAIMED, K.COMPLETED),
        K.WEBHOOK_DELIVERED,
    ]


async def test_a_waiting_deliverer_sends_at_once(database, deliveries, hook):
    async with delivering(database, poll_seconds=30):
        # The first end may come before ends are heard of, and wait for the first look.
        await settled(deliveries, await end(database, hook.url), S.DELIVERED)
        job_id = await end(database, hook.url)
        async with asyncio.timeout(5):
            await hook.heard(2)
        await settled(deliveries, job_id, S.DELIVERED)


async def test_the_message_of_the_mesh_is_the_job_without_its_input(database, deliveries, hook):
    job_id = await end(database, hook.url)
    async with delivering(database):
        delivery = await settled(deliveries, job_id, S.DELIVERED)
    [message] = hook.received
    assert message.headers["content-type"] == "application/json"
    told = json.loads(message.body)
    assert told["type"] == "job.completed"
    told_at = datetime.fromisoformat(told["timestamp"])
    assert told_at == delivery.create_time
    data = told["data"]
    assert (data["id"], data["state"], data["attempt"]) == (
        str(job_id),
        "JOB_STATE_COMPLETED",
        1,
    )
    assert data["output"]["caption_v1"]["captions"][0]["text"] == "a box"
    assert data["client_data"] == {"order": 7.0}
    assert not {"input", "webhook"} & set(data)


async def test_each_dialect_is_told_in_its_own_words(database, deliveries, hook):
    for format in (WebhookFormat.VLM_NODE, WebhookFormat.CAPTION_QUEUE):
        await end(database, hook.url, format=format)
    async with delivering(database, webhook_host_concurrency=1):
        await hook.heard(2)
    told = {frozenset(it): it for it in (json.loads(it.body) for it in hook.received)}
    node = told[frozenset({"job_id", "data", "error"})]
    assert node["error"] is None
    queue = told[frozenset({"job_id", "status", "result", "error_message", "timestamp"})]
    assert (queue["status"], queue["result"]["caption"]) == ("completed", "a box")


async def test_every_text_is_signed_as_it_is_sent(database, deliveries, hook):
    text = 'é "quoted"\n\0 \N{PILE OF POO}'
    job_id = await end(database, hook.url, text=text)
    async with delivering(database):
        await settled(deliveries, job_id, S.DELIVERED)
    [message] = hook.received
    [secret, _] = Signer((NEW, OLD)).secrets(TENANT)
    told = Standard(secret).verify(message.body, message.headers)
    assert told["data"]["output"]["caption_v1"]["captions"][0]["text"] == text


async def test_while_keys_are_changed_a_message_is_signed_by_both(database, deliveries, hook):
    job_id = await end(database, hook.url)
    async with delivering(database, keys=(NEW, OLD)):
        await settled(deliveries, job_id, S.DELIVERED)
    [message] = hook.received
    for key in (NEW, OLD):
        [secret] = Signer((key,)).secrets(TENANT)
        assert Standard(secret).verify(message.body, message.headers)["type"] == "job.completed"
        [theirs] = Signer((key,)).secrets("other")
        with pytest.raises(WebhookVerificationError):
            Standard(theirs).verify(message.body, message.headers)


async def test_a_receiver_that_fails_is_told_again_under_the_same_id(database, deliveries, hook):
    hook.answers = [500, None, web.Response(status=503, text="come\x00 back\n later"), 200]
    job_id = await end(database, hook.url)
    async with delivering(database):
        delivery = await settled(deliveries, job_id, S.DELIVERED)
    assert hook.ids == [str(delivery.id)] * 4
    assert len({it.body for it in hook.received}) == 1
    assert (delivery.attempts, delivery.last_status, delivery.last_problem) == (4, 200, "")


async def test_a_receiver_that_always_fails_is_given_up_and_replayed(database, deliveries, hook):
    said = web.Response(status=503, text="come\x00 back\n later" + "!" * 5000)
    hook.answers = [500] * len(schedule.WAITS) + [said, 200]
    job_id = await end(database, hook.url)
    async with delivering(database):
        dead = await settled(deliveries, job_id, S.DEAD)
        assert dead.attempts == len(hook.received) == len(schedule.WAITS) + 1
        assert dead.last_problem.startswith("it answered 503: come back later!")
        assert len(dead.last_problem) < 250
        await deliveries.replay(TENANT, dead.id)
        delivery = await settled(deliveries, job_id, S.DELIVERED)
    assert set(hook.ids) == {str(delivery.id)}
    assert (await kinds(database, job_id))[-2:] == [K.WEBHOOK_DEAD, K.WEBHOOK_DELIVERED]


async def test_a_receiver_that_is_gone_is_told_no_more(database, deliveries, hook):
    hook.answers = [410]
    job_id = await end(database, hook.url)
    async with delivering(database):
        delivery = await settled(deliveries, job_id, S.DEAD)
    assert (delivery.attempts, len(hook.received)) == (1, 1)


async def tried_once(database, **options):
    """Run a deliverer until it has settled one attempt, and return what is then told of it."""
    async with delivering(database, **options) as outbox, asyncio.timeout(20):
        await outbox.settled.wait()
    [delivery] = await PostgresDeliveryStore(database).list(TENANT, DeliverySelection(limit=2))
    return delivery


async def test_a_redirect_is_a_failure_and_said_so(database, hook):
    async with receiver.receiving() as elsewhere:
        hook.answers = [web.Response(status=307, headers={"Location": elsewhere.url})]
        await end(database, hook.url)
        delivery = await tried_once(database, webhook_backoff_seconds=60)
        assert elsewhere.received == []
    assert (delivery.state, delivery.last_status) == (S.PENDING, 307)
    assert "a redirect, which is not followed" in delivery.last_problem


async def test_a_wait_that_the_receiver_asks_for_is_kept_to(database, hook):
    hook.answers = [web.Response(status=429, headers={"Retry-After": "7200"})]
    await end(database, hook.url)
    delivery = await tried_once(database, webhook_backoff_seconds=24 * 3600)
    waits = delivery.next_attempt_time - delivery.last_attempt_time
    assert timedelta(hours=2) <= waits < timedelta(hours=2, minutes=1)


async def test_an_address_of_the_inside_is_not_called(database, hook):
    await end(database, hook.url)
    delivery = await tried_once(database, allow=(), webhook_backoff_seconds=60)
    assert delivery.last_problem == "it was not called: the address is not public"
    assert hook.received == []


async def test_a_receiver_that_does_not_answer_is_left_in_time(database, hook):
    hook.opened.clear()
    await end(database, hook.url)
    delivery = await tried_once(database, webhook_timeout_seconds=0.2, webhook_backoff_seconds=60)
    assert (delivery.last_status, delivery.last_problem) == (0, "it did not answer within 0.2 s")


async def test_nobody_there_is_told_in_words(database):
    await end(database, f"http://127.0.0.1:{free_port()}/")
    delivery = await tried_once(database, webhook_backoff_seconds=60)
    assert delivery.last_problem == "it could not be reached"


async def test_a_slow_receiver_holds_nobody_up(database, deliveries, hook):
    hook.opened.clear()
    slow = [await end(database, hook.url) for _ in range(5)]
    async with receiver.receiving() as quick:
        job_ids = [await end(database, quick.url) for _ in range(5)]
        async with delivering(database, webhook_concurrency=4, webhook_host_concurrency=2):
            for job_id in job_ids:
                await settled(deliveries, job_id, S.DELIVERED)
            assert len(hook.received) == 2
            hook.opened.set()
            for job_id in slow:
                await settled(deliveries, job_id, S.DELIVERED)


async def test_what_is_under_way_is_finished_when_a_deliverer_stops(database, deliveries, hook):
    hook.opened.clear()
    job_id = await end(database, hook.url)
    async with delivering(database):
        await hook.heard(1)
        asyncio.get_running_loop().call_later(0.1, hook.opened.set)
    assert (await settled(deliveries, job_id, S.DELIVERED)).attempts == 1


async def test_what_cannot_be_finished_is_left_to_another(database, deliveries, hook):
    hook.opened.clear()
    job_id = await end(database, hook.url)
    async with delivering(database, drain_seconds=0.1, webhook_timeout_seconds=0.5):
        await hook.heard(1)
    hook.opened.set()
    async with delivering(database):
        delivery = await settled(deliveries, job_id, S.DELIVERED)
    assert hook.ids == [str(delivery.id)] * 2


async def test_deliverers_share_an_outbox_and_send_each_message_once(database, deliveries, hook):
    async with receiver.receiving() as other:
        job_ids = [await end(database, it.url) for it in (hook, other) for _ in range(15)]
        async with delivering(database), delivering(database), delivering(database):
            for job_id in job_ids:
                await settled(deliveries, job_id, S.DELIVERED)
        ids = hook.ids + other.ids
    assert sorted(DeliveryId.parse(it).job_id for it in ids) == sorted(job_ids)


@asynccontextmanager
async def worker_process(database_url, folder) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker as it runs in production."""
    environment = {
        **os.environ,
        "WORKER_LISTEN": f"127.0.0.1:{free_port()}",
        "WORKER_POLL_SECONDS": "0.2",
        "WORKER_WEBHOOK_TIMEOUT_SECONDS": "1",
        "WORKER_WEBHOOK_BACKOFF_SECONDS": "0.1",
        "JOBS_DATABASE_URL": database_url,
        "JOBS_VISION_TARGET": "127.0.0.1:1",
        "JOBS_REASONING_TARGET": "127.0.0.1:1",
        "JOBS_AUDIO_TARGET": "127.0.0.1:1",
        "JOBS_MEDIA_URL": folder.as_uri(),
        "JOBS_WEBHOOK_KEYS": b64encode(NEW).decode(),
        "JOBS_WEBHOOK_ALLOW": "127.0.0.1",
    }
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "services.jobs.worker"],
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_message_whose_worker_is_killed_comes_from_another_under_the_same_id(
    database, deliveries, database_url, hook, tmp_path
):
    hook.opened.clear()
    job_id = await end(database, hook.url)
    async with worker_process(database_url, tmp_path) as first:
        await hook.heard(1)
        first.send_signal(signal.SIGKILL)
        await first.wait()
    hook.opened.set()
    async with worker_process(database_url, tmp_path) as second:
        delivery = await settled(deliveries, job_id, S.DELIVERED)
        second.terminate()
        _, logged = await second.communicate()
    assert set(hook.ids) == {str(delivery.id)}
    assert len(hook.ids) == delivery.attempts == 2
    # An address may hold a secret of its receiver's.
    assert b"hush" not in logged
    assert b"sent a webhook" in logged
