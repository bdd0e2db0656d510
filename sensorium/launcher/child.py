"""One supervised process: started tied to the launcher in a group of its own, asked until it is
ready, its lines passed on or kept, and stopped for certain. It does not decide whether to start it
again.
"""

import asyncio
import contextlib
import logging
import os
import signal
import textwrap
from collections import deque
from logging.handlers import RotatingFileHandler
from typing import Any, Final

from sensorium import tether
from sensorium.errors import Trouble
from sensorium.launcher.program import Program, Voice

TAIL_LINES: Final = 12
"""How many of its last words are told when it fails."""
LINE_BYTES: Final = 1 << 20
"""A longer line is cut."""
PROBE_SECONDS: Final = 0.1
"""The pause between two questions whether it is ready."""
PATIENCE_SECONDS: Final = 15.0
"""How often is told how far one is that takes its time to be ready."""
PROGRESS_SIGNS: Final = 120
LOG_BYTES: Final = 8 << 20
"""How big a file of its lines becomes; the one before is kept too."""
STOP_SECONDS: Final = 8.0
"""How long it may take to end by itself."""


class Child:
    """A program that may be started, stopped, and started again."""

    def __init__(self, program: Program, voice: Voice) -> None:
        self.program = program
        self._voice = voice
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[int] | None = None
        self._log = program.log and RotatingFileHandler(
            program.log, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8", delay=True
        )

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process and alive else None

    async def start(self) -> None:
        """Start the process and wait until it is ready. Raises `Trouble` when that fails."""
        program = self.program
        self._tail.clear()
        command = tether.command(program.command, number=self._last_signal(), user=program.user)
        self._process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **program.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_BYTES,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        self._ending = ending = asyncio.create_task(_end(self._process))
        try:
            async with asyncio.timeout(program.ready_seconds):
                await self._until_ready(ending)
        except TimeoutError:
            raise self._trouble(f"was not ready within {program.ready_seconds:g} s") from None

    def _last_signal(self) -> int:
        # A database is asked to end, so that its own processes do too; all others just end.
        return signal.SIGINT if self.program.stop_signal is signal.SIGINT else signal.SIGKILL

    async def _until_ready(self, ending: asyncio.Task[int]) -> None:
        if self.program.once:
            if code := await asyncio.shield(ending):
                raise await self._death(code)
            return
        asking = asyncio.create_task(self._ask())
        begun = asyncio.get_running_loop().time()
        try:
            done: set[asyncio.Task[Any]] = set()
            while not done:
                done, _ = await asyncio.wait(
                    (ending, asking),
                    timeout=PATIENCE_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not done:
                    self._tell_progress(asyncio.get_running_loop().time() - begun)
            if not asking.done():
                raise await self._death(ending.result())
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _tell_progress(self, seconds: float) -> None:
        # What is shown need not be said again.
        kept = self._tail[-1] if self._log and self._tail else ""
        said = textwrap.shorten(f"not ready after {seconds:.0f} s. {kept}", PROGRESS_SIGNS)
        self._voice.told(self.program.name, said)

    async def _ask(self) -> None:
        while True:
            try:
                await self.program.probe()
            except Exception:
                await asyncio.sleep(PROBE_SECONDS)
            else:
                return

    async def ended(self) -> Trouble:
        """Wait until the process ends by itself, and tell of it."""
        assert self._ending is not None  # noqa: S101 - it has been started
        return await self._death(await asyncio.shield(self._ending))

    async def _death(self, code: int) -> Trouble:
        if self._reading is not None:
            await asyncio.wait((self._reading,), timeout=1)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return self._trouble(how)

    def _trouble(self, what: str) -> Trouble:
        said = "".join(f"\n    {line}" for line in self._tail)
        hint = f"\n  {self.program.hint}" if self.program.hint else ""
        last = f"; its last words:{said}" if said else " without a word"
        log = f"\n  All that it said is in {self.program.log}" if self.program.log else ""
        return Trouble(f"{self.program.name} {what}{last}{log}{hint}")

    async def stop(self) -> None:
        """End the process and everything it started: asked first, forced after a bounded wait."""
        process, ending = self._process, self._ending
        if process is None or ending is None:
            return
        if not ending.done():
            _signal(process.pid, self.program.stop_signal)
            await asyncio.wait((ending,), timeout=STOP_SECONDS)
        if not ending.done():
            self._voice.told(self.program.name, f"did not end within {STOP_SECONDS:g} s; forced")
            _signal(process.pid, signal.SIGKILL)
            await ending
        if self._reading is not None:
            # Whoever holds the pipe open now is not ours.
            await asyncio.wait((self._reading,), timeout=1)
            self._reading.cancel()
        if self._log:
            self._log.close()
        self._process = None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stdout
        assert stream is not None  # noqa: S101 - it was asked for above
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                continue
            if not line:
                return
            # A bar of progress is written over and over on one line.
            if text := line.decode(errors="replace").strip().rpartition("\r")[2]:
                self._tail.append(text)
                self._keep(text)

    def _keep(self, line: str) -> None:
        if self._log:
            self._log.emit(logging.makeLogRecord({"msg": line}))
        else:
            self._voice.heard(self.program.name, line)


async def _end(process: asyncio.subprocess.Process) -> int:
    code = await process.wait()
    # What it started and left goes now, and not later, when its number may be another's.
    _signal(process.pid, signal.SIGKILL)
    return code


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
