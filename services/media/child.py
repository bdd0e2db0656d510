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
    """A running process, by its two pipes."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader

    async def send(self, data: bytes) -> None:
        """Hand bytes over, at the pace at which they are read. One that has ended reads nothing."""
        with suppress(ConnectionError):
            self.stdin.write(data)
            await self.stdin.drain()

    def end(self) -> None:
        """Say that no more bytes follow."""
        self.stdin.close()


@asynccontextmanager
async def running(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Run a module of ours for a block; at the block's end the process is gone."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KNOWN if name in os.environ},
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
    try:
        yield Child(process.stdin, process.stdout)
    finally:
        process.stdin.close()
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
