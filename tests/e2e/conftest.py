"""The real mesh, started as a user starts it: one for all the tests of this folder."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc.aio
import pytest
import pytest_asyncio

from sensorium.launcher import places
from services.chassis import client
from tests.doubles import domain_server, otlp
from tests.doubles.engine_llama import free_port

START_SECONDS = 60
STOP_SECONDS = 30


class Output:
    """What the launcher says, line by line, for whoever waits for a word of it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._said = asyncio.Condition()

    async def read(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            async with self._said:
                self.lines.append(line.decode(errors="replace").rstrip())
                self._said.notify_all()

    async def wait_for(self, words: str, *, after: int = 0, timeout: float = 60) -> None:
        """Wait for a line that holds the words, among those from number `after` on."""
        try:
            async with asyncio.timeout(timeout), self._said:
                while not any(words in line for line in self.lines[after:]):
                    await self._said.wait()
        except TimeoutError:
            told = "\n".join(self.lines[-60:])
            raise AssertionError(
                f"not said in {timeout} s: {words!r}; the end of it:\n{told}"
            ) from None


@dataclass(frozen=True)
class Mesh:
    """A running mesh, as its clients and its operator see it."""

    url: str
    http: aiohttp.ClientSession
    """Speaks REST to the edge."""
    grpc: grpc.aio.Channel
    """Speaks gRPC to the same port."""
    launcher: asyncio.subprocess.Process
    output: Output

    def processes(self, *words: str) -> list[int]:
        """The ids of the mesh's processes whose command lines hold all the words."""
        return [
            pid
            for pid in descendants(self.launcher.pid)
            if all(word in command_of(pid) for word in words)
        ]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [found for child in map(int, children) for found in (child, *descendants(child))]


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
    port = free_port()
    environment = os.environ | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.target}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "NO_COLOR": "1",
        "API_URL": posemesh.url,
        "DDS_URL": posemesh.url,
        "POSEMESH_EMAIL": domain_server.EMAIL,
        "POSEMESH_PASSWORD": domain_server.PASSWORD,
        "JOBS_FETCH_ALLOW": "127.0.0.1/32",
    }
    launcher = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sensorium.cli", "up", "--port", str(port)),
        *("--language", "0.5b", "--data", str(data_folder)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
    )
    assert launcher.stdout is not None
    output = Output()
    reading = asyncio.create_task(output.read(launcher.stdout))
    try:
        await output.wait_for("The mesh is ready", timeout=START_SECONDS)
    except AssertionError:
        launcher.kill()
        raise
    url = f"http://127.0.0.1:{port}"
    timeout = aiohttp.ClientTimeout(total=120)
    async with (
        aiohttp.ClientSession(url, timeout=timeout) as http,
        client.channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Mesh(url, http, channel, launcher, output)
    family = [launcher.pid, *descendants(launcher.pid)]
    launcher.send_signal(signal.SIGINT)
    async with asyncio.timeout(STOP_SECONDS):
        code = await launcher.wait()
        await reading
    told = "\n".join(output.lines[-60:])
    assert code == 0, f"the mesh did not stop cleanly:\n{told}"
    left = [command_of(pid) for pid in family if command_of(pid)]
    assert not left, f"processes were left behind: {left}"
