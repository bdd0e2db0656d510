"""What integration tests share: a receiver of webhooks; and, for all tests of a module, doubles of
the rooms, the real Envoy before them, and a client. A module that wants another has its own.
"""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.doubles import edge as edges
from tests.doubles import receiver, rooms
from tests.doubles.receiver import Receiver

in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver.receiving() as running:
        yield running


@in_module
async def mesh():
    async with rooms.serving() as mesh:
        yield mesh


@in_module
async def edge(tmp_path_factory, mesh, bridge):
    folder = tmp_path_factory.mktemp("edge")
    async with edges.running(folder, mesh.targets | {"bridge": bridge}) as edge:
        yield edge


@in_module
async def http():
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        yield http
