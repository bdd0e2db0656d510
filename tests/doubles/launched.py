"""Not a double: the real mesh, started by the command that a user types."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc.aio

from services.chassis import client
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


@asynccontextmanager
async def launched(
    data: Path,
    *options: str,
    environment: Mapping[str, str],
    start_seconds: float = START_SECONDS,
) -> AsyncIterator[Mesh]:
    """Run `sensorium up` for a block, and see that it stops cleanly and leaves nothing behind."""
    port = free_port()
    launcher = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sensorium.cli", "up", "--port", str(port)),
        *("--data", str(data), *options),
        env=os.environ | {"NO_COLOR": "1", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
    )
    assert launcher.stdout is not None
    output = Output()
    reading = asyncio.create_task(output.read(launcher.stdout))
    try:
        await output.wait_for("The mesh is ready", timeout=start_seconds)
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
