"""Every statement that is run often finds its rows by an index, however many jobs there are."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from services.jobs.adapters.postgres import (
    Database,
    PostgresDeliveryStore,
    PostgresJobQueue,
    PostgresJobStore,
    PostgresOutbox,
)
from services.jobs.content import CaptionInput, CaptionOutput, JobType
from services.jobs.domain import NewJob, Progress
from services.jobs.ports.store import Place, Selection
from services.jobs.webhooks.domain import Answer, DeliveryState, Outcome
from services.jobs.webhooks.ports import DeliverySelection

LEASE = timedelta(minutes=1)
NEW = NewJob("acme", JobType.CAPTION_V1, CaptionInput("", ()), (), request_id="known")
ENDED, WAITING = 40_000, 2_000
MANY = f"""
    INSERT INTO jobs (id, tenant, type, state, request_id, input, create_time, update_time)
    SELECT gen_random_uuid(), 'acme', 'caption_v1', CASE WHEN n <= {ENDED} THEN 'completed' END,
        'r' || n, '{{"prompt": "", "images": []}}', now() + n * interval '1 s', now()
    FROM generate_series(1, {ENDED + WAITING}) AS n;
    INSERT INTO job_queue (id, tenant, type, run_after, waiting_since, update_time)
    SELECT id, tenant, type, now(), now(), now() FROM jobs WHERE state IS NULL;
    INSERT INTO job_events (job_id, sequence, time, kind, step, text, done_steps, total_steps,
        current_step)
    SELECT id, 1, now(), 'created', '', '', 0, 0, '' FROM jobs ON CONFLICT DO NOTHING;
    INSERT INTO job_steps (job_id, key, result) SELECT id, 'a', '1' FROM jobs;
    INSERT INTO webhook_deliveries (job_id, sequence, tenant, url, format, job_state, job_attempt,
        state, create_time, next_attempt_time)
    SELECT id, 3, 'acme', 'https://' || mod(row_number() OVER (), 50) || '.example/', 'mesh',
        'completed', 1, CASE WHEN state IS NULL THEN 'pending' ELSE 'delivered' END, create_time,
        now()
    FROM jobs;
    UPDATE webhook_deliveries SET state = 'dead' WHERE job_id IN (
        SELECT job_id FROM webhook_deliveries WHERE state = 'delivered' LIMIT 100);
"""
# The server tells the plan of each statement as it runs it.
EXPLAINED = """
    ALTER DATABASE {0} SET session_preload_libraries = 'auto_explain';
    ALTER DATABASE {0} SET auto_explain.log_min_duration = 0;
    ALTER DATABASE {0} SET auto_explain.log_level = 'notice';
    ALTER DATABASE {0} SET auto_explain.log_analyze = on;
"""


@pytest.fixture
def database_url(database_url):
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(EXPLAINED.format(connection.info.dbname))
    return database_url


@pytest.fixture
def plans(monkeypatch):
    """What the server tells of every statement, over every connection that is opened."""
    told: list[str] = []
    connect = psycopg.AsyncConnection.connect

    async def listened_to(*args, **options):
        connection = await connect(*args, **options)
        connection.add_notice_handler(lambda notice: told.append(notice.message_primary))
        return connection

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", listened_to)
    return told


@pytest.fixture(params=["known", "unheard of", "planned before"])
async def database(database_url, plans, request):
    """A database with many jobs, and a planner that knows of them or thinks that there are none, or
    that made its plans when there were none.
    """
    async with Database(database_url) as database:
        if request.param == "planned before":
            store, queue = PostgresJobStore(database), PostgresJobQueue(database)
            await store.create(replace(NEW, request_id="first"))
            [claim] = await queue.claim("worker-1", limit=1, lease=LEASE)
            await queue.complete(claim, CaptionOutput(()))
        with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(MANY)
            if request.param == "known":
                connection.execute("ANALYZE")
        yield database


async def test_no_hot_statement_reads_a_whole_table(database, plans):
    store, queue = PostgresJobStore(database), PostgresJobQueue(database)
    limited = PostgresJobQueue(database, type_limits={JobType.CAPTION_V1: 58})

    async def told(awaited):
        plans.clear()
        answer = await awaited
        assert plans, "nothing was explained"
        for plan in plans:
            assert "Seq Scan on job" not in plan, plan
            # Who claims takes the first of the index, and does not sort all that wait.
            assert not re.search(r"Sort Key: (job_queue\.)?priority", plan), plan
            assert "Seq Scan on webhook" not in plan, plan
            # A join that looks at each pair is as bad.
            removed = re.findall(r"Rows Removed by Join Filter: (\d+)", plan)
            assert sum(map(int, removed)) < WAITING, plan
        return answer

    job = await told(store.create(NEW))
    assert await told(store.create(NEW)) == job
    claims = await told(queue.claim("worker-1", limit=50, lease=LEASE))
    assert len(claims) == 50
    assert len(await told(queue.heartbeat(claims, lease=LEASE))) == 50
    assert await told(queue.reclaim()) == 0
    first, second, third, fourth, *_ = claims
    ends = (
        queue.record_step(first, "b", 1, text="", progress=Progress(1, 1, "")),
        queue.report(second, Progress(0, 1, "a")),
        queue.complete(third, CaptionOutput(())),
        queue.release(fourth),
    )
    await told(asyncio.gather(*ends))
    again = await told(queue.claim("worker-1", limit=1, lease=LEASE))
    await told(store.get("acme", third.id))
    await told(store.events(await store.get("acme", third.id), after=0))
    page = await told(store.list("acme", Selection(limit=50)))
    place = Place(page[-1].create_time, page[-1].id)
    assert len(await told(store.list("acme", Selection(limit=50, after=place)))) == 50
    await told(store.stats("acme"))
    await told(store.waiting())
    await told(store.cancel("acme", again[0].id))
    assert len(await told(limited.claim("worker-1", limit=50, lease=LEASE))) == 9
    assert await told(queue.forget(timedelta(days=1))) == 0

    outbox, deliveries = PostgresOutbox(database), PostgresDeliveryStore(database)
    busy = {"0.example": 4, "1.example": 1}
    taken = await told(outbox.claim(limit=32, per_host=4, busy=busy, lease=LEASE))
    assert len({it.host for it in taken}) == 32
    await told(outbox.settle(taken[0], Outcome(DeliveryState.DEAD, Answer(410, "no"))))
    await told(outbox.oldest_age())
    chosen = DeliverySelection(limit=50)
    page = await told(deliveries.list("acme", chosen))
    place = Place(page[-1].create_time, page[-1].id.job_id)
    for state in (None, DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.PENDING):
        for after in (None, place):
            selection = DeliverySelection(limit=50, state=state, after=after)
            await told(deliveries.list("acme", selection))
    mine = DeliverySelection(limit=50, job_id=page[0].id.job_id)
    assert await told(deliveries.list("acme", mine)) == page[:1]
    await told(deliveries.get("acme", page[0].id))
    await told(deliveries.replay("acme", page[0].id))
