"""The real mesh, started as a user starts it: one for all the tests of this folder."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc.aio
import pytest
import pytest_asyncio

from services.chassis import client
from tests.doubles import otlp

START_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True)
class Mesh:
    """A running mesh, as its clients and its operator see it."""

    http: aiohttp.ClientSession
    """Speaks REST to the edge."""
    grpc: grpc.aio.Channel
    """Speaks gRPC to the same port."""
    launcher: asyncio.subprocess.Process

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all, since they share one mesh; the mesh may take its time to start."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"))
            item.add_marker(pytest.mark.timeout(180))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def collector() -> AsyncIterator[otlp.Collector]:
    async with otlp.collecting() as running:
        yield running


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # PostgreSQL runs as a user of its own, who could not enter pytest's folder.
    folder = Path("~/.cache/sensorium/e2e").expanduser() / str(os.getpid())
    folder.mkdir(parents=True)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh(collector: otlp.Collector, data_folder: Path) -> AsyncIterator[Mesh]:
    port = free_port()
    environment = os.environ | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.target}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "NO_COLOR": "1",
    }
    launcher = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sensorium.cli", "up", "--port", str(port)),
        *("--language", "0.5b", "--data", str(data_folder)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
    )
    lines: list[str] = []
    ready = asyncio.Event()
    reading = asyncio.create_task(_read(launcher, lines, ready))
    try:
        async with asyncio.timeout(START_SECONDS):
            await ready.wait()
    except TimeoutError:
        launcher.kill()
        pytest.fail("the mesh did not start; it said:\n" + "\n".join(lines[-60:]))
    url = f"http://127.0.0.1:{port}"
    timeout = aiohttp.ClientTimeout(total=120)
    async with (
        aiohttp.ClientSession(url, timeout=timeout) as http,
        client.channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Mesh(http, channel, launcher)
    family = [launcher.pid, *descendants(launcher.pid)]
    launcher.send_signal(signal.SIGINT)
    async with asyncio.timeout(STOP_SECONDS):
        code = await launcher.wait()
        await reading
    told = "\n".join(lines[-60:])
    assert code == 0, f"the mesh did not stop cleanly:\n{told}"
    left = [command_of(pid) for pid in family if command_of(pid)]
    assert not left, f"processes were left behind: {left}"


async def _read(
    launcher: asyncio.subprocess.Process, lines: list[str], ready: asyncio.Event
) -> None:
    assert launcher.stdout is not None
    async for line in launcher.stdout:
        lines.append(line.decode(errors="replace").rstrip())
        if "The mesh is ready" in lines[-1]:
            ready.set()
