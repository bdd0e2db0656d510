"""A process of its own for hostile bytes: it may crash, hang and starve, and ends with the block
that started it. What it says is not believed here, only carried.
"""

import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

_log = logging.getLogger(__name__)

_KNOWN: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
"""What the process needs of the environment, in which secrets stand."""


@dataclass(frozen=True)
class Child:
    """A running process, by its pipes."""

    stdout: asyncio.StreamReader
    stdin: asyncio.StreamWriter | None
    """None: it was given a file."""

    def write(self, data: bytes) -> None:
        """Hand bytes over without waiting for them to be read. One that has ended reads nothing."""
        assert self.stdin  # noqa: S101 - whoever gave it a file has nothing to write
        if not self.stdin.is_closing():
            self.stdin.write(data)

    async def send(self, data: bytes) -> None:
        """Hand bytes over, at the pace at which they are read."""
        self.write(data)
        assert self.stdin  # noqa: S101 - as above
        with suppress(ConnectionError):
            await self.stdin.drain()

    def end(self) -> None:
        """Say that no more bytes follow."""
        if self.stdin:
            self.stdin.close()


@asynccontextmanager
async def running(module: str, *arguments: str, given: int | None = None) -> AsyncIterator[Child]:
    """Run a module of ours for a block; at the block's end the process is gone. It reads the file
    of a descriptor, or what it is sent.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE if given is None else given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KNOWN if name in os.environ},
    )
    assert process.stdout is not None  # noqa: S101 - a pipe
    running = Child(process.stdout, process.stdin)
    try:
        yield running
    finally:
        running.end()
        with suppress(ProcessLookupError):
            process.kill()
        code = await process.wait()
        if code not in (0, -signal.SIGKILL):
            _log.warning("a decoder broke down", extra={"decoder": module, "code": code})
        # What it said and nobody read would keep its pipe open.
        await process.stdout.read()


def bound(*, memory_bytes: int, cpu_seconds: int) -> None:
    """Give up, in the process itself, what a decoder has no need of."""
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
