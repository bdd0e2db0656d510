"""What every outbox must do, asked of PostgreSQL and of the double alike."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.chassis.errors import Conflict, NotFound
from services.jobs.adapters.postgres import (
    Database,
    PostgresDeliveryStore,
    PostgresJobQueue,
    PostgresJobStore,
    PostgresOutbox,
)
from services.jobs.domain import JobEventKind, JobId, JobState, Revision
from services.jobs.ports.store import Place
from services.jobs.webhooks.domain import Answer, DeliveryId, DeliveryState, Outcome
from services.jobs.webhooks.ports import DeliverySelection
from services.jobs.webhooks.webhook import Webhook, WebhookFormat
from tests.conformance.test_job_store import (
    ERROR,
    LEASE,
    OUTPUT,
    RUN_OUT,
    claim_one,
    kinds,
    listening,
    rings,
)
from tests.conformance.test_job_store import NEW as UNTOLD
from tests.doubles.job_store_memory import MemoryJobStore
from tests.doubles.outbox_memory import MemoryOutbox

HOOK = Webhook("https://a.example/done?token=1", WebhookFormat.VLM_NODE)
NEW = replace(UNTOLD, client_data={"an": "id"}, webhook=HOOK)
OK, GONE = Answer(204), Answer(410, "it answered 410")
DELIVERED = Outcome(DeliveryState.DELIVERED, OK)
DEAD = Outcome(DeliveryState.DEAD, GONE)
LATER = Outcome(DeliveryState.PENDING, Answer(500, "it answered 500: oops"), timedelta(hours=1))
AT_ONCE = replace(LATER, delay=RUN_OUT)
K, S = JobEventKind, DeliveryState


@pytest.fixture(params=["postgres", "memory"])
async def keeper(request):
    if request.param == "memory":
        memory = MemoryJobStore()
        outbox = MemoryOutbox(memory)
        yield memory, memory, outbox, outbox
        return
    async with Database(request.getfixturevalue("database_url")) as database:
        yield (
            PostgresJobStore(database),
            PostgresJobQueue(database),
            PostgresDeliveryStore(database),
            PostgresOutbox(database),
        )


@pytest.fixture
def store(keeper):
    return keeper[0]


@pytest.fixture
def queue(keeper):
    return keeper[1]


@pytest.fixture
def deliveries(keeper):
    return keeper[2]


@pytest.fixture
def outbox(keeper):
    return keeper[3]


async def completed(store, queue, **changes):
    job = await store.create(replace(NEW, **changes))
    await queue.complete(await claim_one(queue), OUTPUT)
    return await store.get(job.tenant, job.id)


async def all_of(deliveries, tenant="acme", **chosen):
    return await deliveries.list(tenant, DeliverySelection(limit=100, **chosen))


async def take(outbox, *, limit=100, per_host=100, busy=None, lease=LEASE):
    return await outbox.claim(limit=limit, per_host=per_host, busy=busy or {}, lease=lease)


async def cancel_waiting(store, queue, job):
    await store.cancel("acme", job.id)


async def cancel_running(store, queue, job):
    claim = await claim_one(queue)
    await store.cancel("acme", job.id)
    await queue.release(claim)


async def cancel_lost(store, queue, job):
    await claim_one(queue, lease=RUN_OUT)
    await store.cancel("acme", job.id)
    await queue.reclaim()


async def complete(store, queue, job):
    await queue.complete(await claim_one(queue), OUTPUT)


async def fail(store, queue, job):
    await queue.fail(await claim_one(queue), ERROR)


async def lose(store, queue, job):
    for _ in range(3):
        await claim_one(queue, lease=RUN_OUT)
        await queue.reclaim()


ENDINGS = {
    complete: JobState.COMPLETED,
    fail: JobState.FAILED,
    lose: JobState.FAILED,
    cancel_waiting: JobState.CANCELLED,
    cancel_running: JobState.CANCELLED,
    cancel_lost: JobState.CANCELLED,
}


@pytest.mark.parametrize(("end", "state"), ENDINGS.items(), ids=[it.__name__ for it in ENDINGS])
async def test_every_end_of_a_job_puts_one_message_out(
    store, queue, deliveries, outbox, end, state
):
    job = await store.create(NEW)
    await end(store, queue, job)
    job = await store.get("acme", job.id)
    [delivery] = await all_of(deliveries)
    assert delivery.id == DeliveryId(job.id, job.last_sequence)
    assert (delivery.job_state, delivery.webhook) == (state, HOOK)
    assert (delivery.state, delivery.attempts) == (S.PENDING, 0)
    assert delivery.create_time == job.end_time
    [shipment] = await take(outbox)
    assert shipment.job == job


async def test_a_webhook_that_is_told_of_keeps_nobody_from_retrying_its_job(store, queue, outbox):
    seen = await completed(store, queue)
    [shipment] = await take(outbox)
    await outbox.settle(shipment, DELIVERED)
    assert await kinds(store, seen) == [K.CREATED, K.CLAIMED, K.COMPLETED, K.WEBHOOK_DELIVERED]
    assert (await store.retry(seen, Revision())).state is JobState.PENDING


async def test_a_job_without_a_webhook_puts_nothing_out(store, queue, deliveries):
    job = await completed(store, queue, webhook=None)
    assert job.webhook is None
    assert await all_of(deliveries) == []


async def test_what_does_not_end_a_job_puts_nothing_out(store, queue, deliveries):
    await store.create(NEW)
    await queue.release(await claim_one(queue))
    await claim_one(queue, lease=RUN_OUT)
    await queue.reclaim()
    assert await all_of(deliveries) == []


async def test_a_job_keeps_its_webhook(store):
    job = await store.create(NEW)
    assert job.webhook == HOOK
    assert (await store.get("acme", job.id)).webhook == HOOK


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, HOOK),
        (Webhook(""), None),
        (Webhook("https://b.example/", WebhookFormat.MESH), Webhook("https://b.example/")),
    ],
)
async def test_a_retry_may_tell_somebody_else_or_nobody(store, queue, deliveries, given, kept):
    first = await completed(store, queue)
    job = await store.retry(first, Revision(webhook=given, keeps_steps=False))
    assert job.webhook == kept
    await queue.fail(await claim_one(queue), ERROR)
    assert (await store.get("acme", job.id)).webhook == kept
    told = [it.webhook for it in await all_of(deliveries)]
    assert told == [it for it in (kept, HOOK) if it is not None]


async def test_a_job_that_told_nobody_may_tell_somebody_after_a_retry(store, queue):
    first = await completed(store, queue, webhook=None)
    assert (await store.retry(first, Revision(webhook=HOOK))).webhook == HOOK


async def test_a_retried_job_puts_a_message_of_its_own_out_at_its_next_end(
    store, queue, deliveries, outbox
):
    first = await completed(store, queue)
    await store.retry(first, Revision(client_data={"an": "other"}, keeps_steps=False))
    await queue.fail(await claim_one(queue), ERROR)
    second = await store.get("acme", first.id)
    newest, oldest = await all_of(deliveries)
    assert [newest.job_state, oldest.job_state] == [JobState.FAILED, JobState.COMPLETED]
    assert newest.id != oldest.id
    told = {it.delivery.id: it.job for it in await take(outbox)}
    assert (told[newest.id].error, told[newest.id].output) == (ERROR, None)
    assert told[oldest.id].state is JobState.COMPLETED
    assert (told[oldest.id].error, told[oldest.id].output) == (None, OUTPUT)
    assert told[oldest.id].end_time == first.end_time
    assert told[newest.id].end_time == second.end_time


async def test_a_message_is_taken_up_once_until_its_lease_runs_out(store, queue, outbox):
    await completed(store, queue)
    [first] = await take(outbox, lease=RUN_OUT)
    [second] = await take(outbox)
    assert first.delivery.id == second.delivery.id
    assert (first.tries, second.tries, second.delivery.attempts) == (1, 2, 2)
    assert second.delivery.last_attempt_time is not None
    assert list(await take(outbox)) == []


async def test_a_message_is_taken_up_once_however_many_ask(store, queue, outbox):
    for n in range(10):
        await completed(store, queue, webhook=Webhook(f"https://{n}.example/"))
    many = await asyncio.gather(*(take(outbox, limit=3) for _ in range(6)))
    ids = [it.delivery.id for shipments in many for it in shipments]
    ids += [it.delivery.id for it in await take(outbox)]
    assert len(ids) == len(set(ids)) == 10


async def test_of_a_host_no_more_is_taken_up_than_its_share(store, queue, outbox):
    for _ in range(5):
        await completed(store, queue, webhook=Webhook("https://Slow.example/hook"))
    quick = await completed(store, queue, webhook=Webhook("https://quick.example:8443/hook"))
    shipments = await take(outbox, limit=4, per_host=2)
    assert sorted(it.host for it in shipments) == [
        "quick.example:8443",
        "slow.example",
        "slow.example",
    ]
    assert [it.job.id for it in shipments if it.host == "quick.example:8443"] == [quick.id]
    assert list(await take(outbox, per_host=2, busy={"slow.example": 2})) == []
    [one] = await take(outbox, per_host=2, busy={"slow.example": 1})
    assert one.host == "slow.example"


async def test_hosts_take_turns_when_not_all_can_be_served(store, queue, outbox):
    for host in ("a.example", "a.example", "b.example", "c.example"):
        await completed(store, queue, webhook=Webhook(f"https://{host}/"))
    shipments = await take(outbox, limit=3)
    assert {it.host for it in shipments} == {"a.example", "b.example", "c.example"}


async def test_a_delivered_message_is_told_and_not_sent_again(store, queue, deliveries, outbox):
    job = await completed(store, queue)
    [shipment] = await take(outbox)
    await outbox.settle(shipment, DELIVERED)
    [delivery] = await all_of(deliveries, state=S.DELIVERED)
    assert (delivery.last_status, delivery.last_problem) == (204, "")
    assert delivery.next_attempt_time is None
    assert list(await take(outbox)) == []
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED, K.COMPLETED, K.WEBHOOK_DELIVERED]
    after = await store.get("acme", job.id)
    assert (after.state, after.output, after.end_time) == (job.state, job.output, job.end_time)
    [event] = await store.events(after, after=3)
    assert event.text == f"{delivery.id}: it answered 204"


async def test_a_message_that_was_not_taken_waits_its_time(store, queue, deliveries, outbox):
    job = await completed(store, queue)
    [shipment] = await take(outbox)
    await outbox.settle(shipment, LATER)
    [delivery] = await all_of(deliveries, state=S.PENDING)
    assert (delivery.last_status, delivery.last_problem) == (500, "it answered 500: oops")
    assert delivery.next_attempt_time > delivery.last_attempt_time + timedelta(minutes=59)
    assert list(await take(outbox)) == []
    assert await kinds(store, job) == [K.CREATED, K.CLAIMED, K.COMPLETED]


async def test_a_dead_message_is_told_and_may_be_replayed_under_its_id(
    store, queue, deliveries, outbox
):
    job = await completed(store, queue)
    [shipment] = await take(outbox)
    await outbox.settle(shipment, DEAD)
    [dead] = await all_of(deliveries, state=S.DEAD)
    assert (await kinds(store, job))[-1] is K.WEBHOOK_DEAD
    assert list(await take(outbox)) == []
    replayed = await deliveries.replay("acme", dead.id)
    assert (replayed.id, replayed.state, replayed.attempts) == (dead.id, S.PENDING, 1)
    [again] = await take(outbox)
    assert (again.delivery.id, again.tries, again.delivery.attempts) == (dead.id, 1, 2)
    await outbox.settle(again, DELIVERED)
    assert (await kinds(store, job))[-2:] == [K.WEBHOOK_DEAD, K.WEBHOOK_DELIVERED]


async def test_a_delivered_message_may_be_replayed(store, queue, deliveries, outbox):
    await completed(store, queue)
    [shipment] = await take(outbox)
    await outbox.settle(shipment, DELIVERED)
    await deliveries.replay("acme", shipment.delivery.id)
    [again] = await take(outbox)
    assert again.job == shipment.job


async def test_a_worker_that_lost_a_message_writes_nothing_of_it(store, queue, deliveries, outbox):
    job = await completed(store, queue)
    [lost] = await take(outbox, lease=RUN_OUT)
    [held] = await take(outbox)
    with pytest.raises(Conflict):
        await outbox.settle(lost, DEAD)
    assert (await deliveries.get("acme", held.delivery.id)).state is S.PENDING
    await outbox.settle(held, DELIVERED)
    with pytest.raises(Conflict):
        await outbox.settle(held, DEAD)
    assert (await kinds(store, job))[-1] is K.WEBHOOK_DELIVERED


async def test_what_becomes_of_a_message_is_told_while_its_job_works_again(store, queue, outbox):
    job = await completed(store, queue)
    [shipment] = await take(outbox)
    await store.retry(job, Revision())
    await outbox.settle(shipment, DELIVERED)
    await queue.complete(await claim_one(queue), OUTPUT)
    ends = [K.RETRIED, K.WEBHOOK_DELIVERED, K.CLAIMED, K.COMPLETED]
    assert (await kinds(store, job))[3:] == ends


async def test_messages_settled_while_their_jobs_go_round_lose_no_event(store, queue, outbox):
    jobs = [await completed(store, queue) for _ in range(8)]
    shipments = await take(outbox)

    async def go_round(job):
        await store.retry(await store.get("acme", job.id), Revision())
        await store.cancel("acme", job.id)

    await asyncio.gather(
        *(outbox.settle(it, DELIVERED) for it in shipments),
        *(go_round(job) for job in jobs),
        return_exceptions=True,
    )
    for job in jobs:
        assert (await kinds(store, job)).count(K.WEBHOOK_DELIVERED) == 1


async def test_deliveries_are_listed_newest_first_page_by_page(store, queue, deliveries):
    jobs = [await completed(store, queue) for _ in range(5)]
    first = await deliveries.list("acme", DeliverySelection(limit=2))
    place = Place(first[-1].create_time, first[-1].id.job_id)
    rest = await all_of(deliveries, after=place)
    assert [it.id.job_id for it in (*first, *rest)] == [job.id for job in jobs[::-1]]
    [one] = await all_of(deliveries, job_id=jobs[2].id)
    assert one.id.job_id == jobs[2].id


async def test_another_tenants_delivery_does_not_exist(store, queue, deliveries):
    await completed(store, queue)
    [mine] = await all_of(deliveries)
    assert await all_of(deliveries, "other") == []
    assert await all_of(deliveries, "other", job_id=mine.id.job_id) == []
    for ask in (deliveries.get, deliveries.replay):
        with pytest.raises(NotFound):
            await ask("other", mine.id)
    assert await deliveries.get("acme", mine.id) == mine


async def test_a_delivery_that_there_is_not_is_not_found(store, queue, deliveries):
    job = await completed(store, queue)
    for missing in (DeliveryId(job.id, 1), DeliveryId(JobId(job.id.__class__(int=1)), 3)):
        with pytest.raises(NotFound):
            await deliveries.get("acme", missing)


async def test_the_age_is_that_of_the_oldest_that_is_to_be_sent(store, queue, outbox):
    assert await outbox.oldest_age() == timedelta()
    await completed(store, queue)
    assert await outbox.oldest_age() > timedelta()
    [shipment] = await take(outbox)
    await outbox.settle(shipment, DEAD)
    assert await outbox.oldest_age() == timedelta()


async def test_a_job_is_kept_until_its_webhook_is_settled(store, queue, deliveries, outbox):
    job = await completed(store, queue)
    [shipment] = await take(outbox)
    assert await queue.forget(timedelta(0)) == 0
    await outbox.settle(shipment, DEAD)
    assert await queue.forget(timedelta(0)) == 1
    assert await all_of(deliveries) == []
    with pytest.raises(NotFound):
        await store.get("acme", job.id)


async def test_deliverers_hear_of_ends_and_replays(store, queue, deliveries, outbox):
    with outbox.due() as bell:
        await listening(store)
        await rings(bell, completed(store, queue))
        [shipment] = await take(outbox)
        await outbox.settle(shipment, DEAD)
        await rings(bell, deliveries.replay("acme", shipment.delivery.id))
