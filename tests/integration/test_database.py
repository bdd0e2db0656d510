"""The pool of connections to a real PostgreSQL, which some leave in the middle."""

import asyncio
import gc
import logging
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

ONE = text("SELECT 1 AS number")
STEPS = 60


async def one(database):
    assert len(await database.rows(ONE)) == 1


async def several(database):
    async with database.transaction() as connection:
        await connection.execute(ONE)
        await connection.execute(ONE)


@pytest.mark.parametrize("work", [one, several])
async def test_who_leaves_at_any_point_leaves_no_connection_behind(database, work, caplog):
    await work(database)
    for steps in range(STEPS):
        leaving = asyncio.create_task(work(database))
        for _ in range(steps):
            await asyncio.sleep(0)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
    # The pool tells of a connection that was forgotten when it is cleared away.
    gc.collect()
    assert not [it for it in caplog.records if it.levelno >= logging.ERROR]
    await work(database)


async def write(database, *statements):
    async with database.transaction() as connection:
        for each in statements:
            await connection.execute(text(each))


async def test_what_fails_in_a_transaction_was_never_written(database):
    await write(database, "CREATE TABLE written (number integer)")
    with pytest.raises(DataError):
        await write(database, "INSERT INTO written VALUES (1)", "SELECT 1 / 0")
    await write(database, "INSERT INTO written VALUES (2)", "INSERT INTO written VALUES (3)")
    found = await database.rows(text("SELECT number FROM written ORDER BY number"))
    assert [it.number for it in found] == [2, 3]
