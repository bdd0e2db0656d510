"""Audio that is read in a thread and taken in an event loop. A recording waits for who takes it; a
microphone cannot, and says what was lost. It knows nobody who listens.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from sensorium.audio import capture
from sensorium.audio.capture import BYTES_PER_SECOND, Microphone, Source
from sensorium.errors import Trouble

_log = logging.getLogger(__name__)

AHEAD_BYTES: Final = 10 * BYTES_PER_SECOND
"""How much audio waits to be taken."""
RETRY_SECONDS: Final = 1.0


class AudioStream:
    """Audio of a microphone, of a recording at a path or address, or of what can be read.

    A recording is read at the pace of life, or with `fast` as fast as it is taken. A microphone
    that breaks after it was heard is opened again.
    """

    def __init__(self, source: Source = Microphone(), *, fast: bool = False) -> None:  # noqa: B008 - frozen
        self._source = source
        self._fast = fast

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its audio until it ends, as 16-bit little-endian mono PCM at 16,000 samples a second.

        Raises `Trouble` when it cannot be read.
        """
        queue, stop = _Queue(asyncio.get_running_loop()), threading.Event()
        # A daemon, for what is read may say nothing for ever, and nobody waits for it then.
        arguments = (queue, stop)
        threading.Thread(target=self._read, args=arguments, name="audio", daemon=True).start()
        try:
            async for chunk in queue.chunks():
                yield chunk
        finally:
            stop.set()
            queue.leave()

    def _read(self, queue: "_Queue", stop: threading.Event) -> None:
        is_live, was_heard = capture.is_live(self._source), False
        while True:
            problem = None
            try:
                for chunk in capture.chunks(self._source, stop, fast=self._fast):
                    was_heard = True
                    queue.put(chunk, waits=not is_live)
            except Exception as broken:
                problem = broken
            again = isinstance(self._source, Microphone) and was_heard
            if not again or stop.is_set():
                queue.end(problem)
                return
            _log.warning("the microphone broke off and is opened again: %s", problem or "it ended")
            stop.wait(RETRY_SECONDS)


class _Queue:
    """Chunks on their way from a thread to an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._came = asyncio.Event()
        self._changed = threading.Condition()
        self._chunks = deque[bytes]()
        self._held = 0
        self._lost = 0
        self._is_left = False
        self._is_ended = False
        self._problem: Exception | None = None

    def put(self, chunk: bytes, *, waits: bool) -> None:
        with self._changed:
            if waits:
                self._changed.wait_for(lambda: self._held < AHEAD_BYTES or self._is_left)
            elif self._held >= AHEAD_BYTES:
                self._lost += len(chunk)
                return
            lost, self._lost = self._lost, 0
            self._chunks.append(chunk)
            self._held += len(chunk)
        if lost:
            _log.warning("%.1f s of audio were lost: nobody took them", lost / BYTES_PER_SECOND)
        self._wake()

    def end(self, problem: Exception | None) -> None:
        self._problem = problem
        self._is_ended = True
        self._wake()

    def leave(self) -> None:
        with self._changed:
            self._is_left = True
            self._changed.notify_all()

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            await self._came.wait()
            self._came.clear()
            is_ended = self._is_ended
            while self._chunks:
                with self._changed:
                    chunk = self._chunks.popleft()
                    self._held -= len(chunk)
                    self._changed.notify_all()
                yield chunk
            if is_ended:
                break
        if self._problem is not None:
            raise Trouble(str(self._problem)) from self._problem

    def _wake(self) -> None:
        with suppress(RuntimeError):
            # The loop has ended before the audio.
            self._loop.call_soon_threadsafe(self._came.set)
