"""The jobs schema as migrations make it, on a real PostgreSQL."""

import asyncio
import os
import sys
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine

from services.jobs.adapters.postgres.tables import metadata
from tests.doubles import postgres


@pytest.fixture
def empty(postgres_server):
    """The URL of a database without tables."""
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield postgres.url_of(postgres_server, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def migrate(url):
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "services.jobs.migrations"],
        env={**os.environ, "JOBS_DATABASE_URL": url},
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    return process.returncode, told.decode()


async def test_processes_that_migrate_at_once_take_turns(empty):
    ended = await asyncio.gather(*(migrate(empty) for _ in range(3)))
    assert [code for code, _ in ended] == [0, 0, 0]
    engine = create_engine(empty)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "migrations"})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_a_database_that_is_not_there_is_told_in_one_line():
    code, told = await migrate(f"postgresql://nobody@/none?host=/nowhere-{uuid4().hex}")
    assert code == 2
    assert "JOBS_DATABASE_URL" in told
    assert "Traceback" not in told


async def test_a_database_of_another_program_is_left_alone(empty):
    with psycopg.connect(empty.replace("+psycopg", ""), autocommit=True) as theirs:
        theirs.execute("CREATE TABLE jobs (id TEXT PRIMARY KEY)")
        code, told = await migrate(empty)
        tables = theirs.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchall() == [("jobs",)]
    assert code == 2
    assert "another program's tables" in told
    assert "Traceback" not in told
