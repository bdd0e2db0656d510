"""Senko's process as it is asked: one question at a time, each bounded. When it breaks down, the
questions about recordings it knew of fail, and the next recording starts it anew.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from services.audio.adapters import senko_process as program
from services.chassis.errors import Unavailable

_log = logging.getLogger(__name__)

_START_SECONDS: Final = 300.0
"""At its very first start senko's libraries compile for a minute."""
_AGAIN_SECONDS: Final = 60.0
"""How long a process that could not be started is not tried again."""
_MOST_ANSWER_BYTES: Final = 16 << 20
_KNOWN: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "HOME", "CUDA_VISIBLE_DEVICES")
"""What the process needs of the environment, in which secrets stand."""
# Threads that wait for others by spinning would take the processor from those who hear.
_PASSIVE: Final = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "HF_HUB_OFFLINE": "1"}
_BROKEN = (OSError, ValueError, asyncio.IncompleteReadError, TimeoutError)


class SenkoChild:
    """Starts the process when a recording is opened, and asks it. An answer may take `seconds`."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command = command
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._not_before = 0.0
        self._asked = set[asyncio.Task[Any]]()

    async def close(self) -> None:
        """End the process."""
        for task in self._asked:
            task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)
        await self._end()

    async def ask(self, kind: bytes, number: int, data: bytes = b"") -> dict[str, Any]:
        """Ask in turn. Who stops waiting does not stop the question. Raises `Unavailable`."""
        return await asyncio.shield(self.tell(kind, number, data))

    def tell(self, kind: bytes, number: int = 0, data: bytes = b"") -> asyncio.Task[dict[str, Any]]:
        """Ask in turn, without waiting for the answer."""
        task = asyncio.create_task(self._ask(kind, number, data))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        task.add_done_callback(seen)
        return task

    async def _ask(self, kind: bytes, number: int, data: bytes) -> dict[str, Any]:
        async with self._turn:
            process = await self._running(start=kind == program.OPEN)
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await _exchanged(process, kind, number, data)
            except _BROKEN as failed:
                _log.warning("senko broke down", extra={"problem": type(failed).__name__})
                await self._end()
                raise Unavailable("what tells speakers apart broke down") from None
            except asyncio.CancelledError:
                await self._end()  # Half an exchange is left, which nobody could go on with.
                raise
        if problem := answer.get("problem"):
            raise Unavailable(f"speakers could not be told apart: {problem}")
        return answer

    async def _running(self, *, start: bool) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        if not start:
            raise Unavailable("what tells speakers apart broke down")
        if time.monotonic() < self._not_before:
            raise Unavailable("what tells speakers apart cannot be started")
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KNOWN if name in os.environ} | _PASSIVE,
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                await _answer(self._process)
        except _BROKEN as failed:
            _log.warning("senko cannot be started", extra={"problem": type(failed).__name__})
            self._not_before = time.monotonic() + _AGAIN_SECONDS
            await self._end()
            raise Unavailable("what tells speakers apart cannot be started") from None
        except asyncio.CancelledError:
            await self._end()
            raise
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def seen(task: asyncio.Task[Any]) -> None:
    """Let a task fail without a word: whoever waits for it is told, and may be nobody."""
    if not task.cancelled():
        task.exception()


async def _exchanged(
    process: asyncio.subprocess.Process, kind: bytes, number: int, data: bytes
) -> dict[str, Any]:
    assert process.stdin is not None  # noqa: S101 - a pipe
    process.stdin.write(program.HEAD.pack(kind, number, len(data)) + data)
    await process.stdin.drain()
    return await _answer(process)


async def _answer(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101 - a pipe
    size = program.LENGTH.unpack(await process.stdout.readexactly(program.LENGTH.size))[0]
    if size > _MOST_ANSWER_BYTES:
        raise ValueError
    return dict(json.loads(await process.stdout.readexactly(size)))
