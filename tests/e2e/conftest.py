"""The real mesh, started as a user starts it: one for all the tests of this folder."""

import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from sensorium.launcher import places
from tests.doubles import domain_server, otlp
from tests.doubles.launched import Mesh, launched


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all, since they share one mesh; the mesh may take its time to start."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.timeout(180))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def collector() -> AsyncIterator[otlp.Collector]:
    async with otlp.collecting() as running:
        yield running


@pytest.fixture(scope="session")
def data_folder() -> Iterator[Path]:
    # PostgreSQL may run as a user of its own, who could not enter pytest's folder.
    folder = places.data() / "e2e" / str(os.getpid())
    yield folder
    shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def posemesh() -> AsyncIterator[domain_server.DomainServer]:
    async with domain_server.serving(time.time()) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh(
    collector: otlp.Collector, posemesh: domain_server.DomainServer, data_folder: Path
) -> AsyncIterator[Mesh]:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.target}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "API_URL": posemesh.url,
        "DDS_URL": posemesh.url,
        "POSEMESH_EMAIL": domain_server.EMAIL,
        "POSEMESH_PASSWORD": domain_server.PASSWORD,
        "JOBS_FETCH_ALLOW": "127.0.0.1/32",
    }
    async with launched(data_folder, "--language", "0.5b", environment=environment) as running:
        yield running
