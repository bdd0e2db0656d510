"""A line to a real PostgreSQL that is cut, left in the middle, or refused."""

import asyncio

import psycopg
import pytest
from sqlalchemy import text

from services.chassis.errors import Unavailable
from services.jobs.adapters.postgres import Database

ONE = text("SELECT CAST(:number AS integer) AS number, pg_backend_pid() AS backend")
LOCKED = text("SELECT pg_advisory_lock(:number) IS NULL AS locked")


async def one(database):
    [row] = await database.often(ONE, {"number": 7})
    assert row.number == 7
    return row.backend


async def test_a_statement_keeps_its_line(database):
    assert len({await one(database) for _ in range(3)}) == 1
    assert len(set(await asyncio.gather(*(one(database) for _ in range(3))))) == 1


async def test_a_line_that_was_cut_is_told_of_once_and_opened_again(database, database_url):
    before = await one(database)
    async with await psycopg.AsyncConnection.connect(database_url.replace("+psycopg", "")) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
    with pytest.raises(Unavailable):
        await one(database)
    assert await one(database) != before


async def test_who_leaves_in_the_middle_leaves_the_line_to_the_next(database, database_url):
    async with await psycopg.AsyncConnection.connect(database_url.replace("+psycopg", "")) as other:
        await other.execute("SELECT pg_advisory_lock(1)")
        waiting = asyncio.create_task(database.often(LOCKED, {"number": 1}))
        waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(10):
            while (await other.execute(waits)).rowcount == 0:
                pass
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(10):
            await database.often(LOCKED, {"number": 2})


async def test_a_mistake_of_ours_is_no_outage(database):
    with pytest.raises(psycopg.DataError):
        await database.often(ONE, {"number": "seven"})
    await one(database)


async def test_a_database_that_is_not_there_is_an_outage():
    async with Database("postgresql://nobody@/none?host=/nowhere") as database:
        with pytest.raises(Unavailable):
            await one(database)


async def test_a_line_that_is_closed_while_it_is_opened_leaves_no_connection(
    database_url, monkeypatch
):
    connect, opening, go_on = psycopg.AsyncConnection.connect, asyncio.Event(), asyncio.Event()
    opened = []

    async def slow(*given, **named):
        opening.set()
        await go_on.wait()
        opened.append(await connect(*given, **named))
        return opened[0]

    async with Database(database_url) as database:
        monkeypatch.setattr(psycopg.AsyncConnection, "connect", slow)
        asking = asyncio.create_task(database.often(ONE, {"number": 7}))
        async with asyncio.timeout(10):
            await opening.wait()
    go_on.set()
    with pytest.raises(Unavailable):
        await asking
    assert opened[0].closed


async def test_a_database_that_is_closed_while_it_begins_to_listen_leaves_no_connection(
    database_url, monkeypatch
):
    connect, opening, go_on = psycopg.AsyncConnection.connect, asyncio.Event(), asyncio.Event()
    opened = []

    async def slow(*given, **named):
        opened.append(await connect(*given, **named))
        opening.set()
        await go_on.wait()
        return opened[0]

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", slow)
    async with asyncio.timeout(10), Database(database_url):
        await opening.wait()
        asyncio.get_running_loop().call_soon(go_on.set)
    assert opened[0].closed
