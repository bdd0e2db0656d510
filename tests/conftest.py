"""What tests on a real PostgreSQL share: the server, and a database of its own for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from services.jobs.adapters.postgres import Database
from tests.doubles import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture
def database_url(postgres_server) -> Iterator[str]:
    with postgres.database(postgres_server) as url:
        yield url


@pytest.fixture
async def database(database_url) -> AsyncIterator[Database]:
    async with Database(database_url) as opened:
        yield opened
