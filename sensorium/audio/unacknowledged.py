"""The audio of a session that may have to be sent again, within bounds: what the other side does
not hold yet, and what it holds and has not told all words of. It knows no wire.
"""

import asyncio
from collections.abc import AsyncIterable
from typing import Final

from sensorium.audio.capture import BYTES_PER_SECOND

MOST_BYTES: Final = 150 * BYTES_PER_SECOND
"""A session is kept for about two minutes without a stream; older audio would be of no use."""
CHUNK_BYTES: Final = 64 * 1024


class Unacknowledged:
    """Audio by its offset in bytes from its start.

    Of what was acknowledged, at most `spare_bytes` are kept until their words were told.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, *, spare_bytes: int = 0) -> None:
        self._most = most_bytes
        self._spare = spare_bytes
        self._held = bytearray()
        self._begin = 0
        self._acknowledged = 0
        self._told = 0
        self._is_ended = False
        self._came = asyncio.Event()
        self._freed = asyncio.Event()

    @property
    def begin(self) -> int:
        """Where what is held begins: all words before it were told."""
        return self._begin

    async def follow(self, audio: AsyncIterable[bytes]) -> None:
        """Take audio until it ends; while too much is not acknowledged, take no more."""
        try:
            async for chunk in audio:
                while self._end - self._acknowledged >= self._most:
                    self._freed.clear()
                    await self._freed.wait()
                self._held += chunk
                self._came.set()
        finally:
            self._is_ended = True
            self._came.set()

    def acknowledge(self, offset: int) -> None:
        """Take note that the other side holds what comes before an offset."""
        self._acknowledged = max(self._acknowledged, min(offset, self._end))
        self._release()

    def tell(self, offset: int) -> None:
        """Take note that all words before an offset were told."""
        self._told = max(self._told, min(offset, self._end))
        self._release()

    def renew(self) -> None:
        """Take note that the other side holds nothing any more."""
        self._acknowledged = self._begin

    async def chunk(self, offset: int) -> bytes:
        """Wait for what comes at an offset, or for the end, which is empty."""
        while (at := offset - self._begin) >= len(self._held) and not self._is_ended:
            self._came.clear()
            await self._came.wait()
        return bytes(self._held[max(0, at) : max(0, at) + CHUNK_BYTES])

    @property
    def _end(self) -> int:
        return self._begin + len(self._held)

    def _release(self) -> None:
        begin = max(self._acknowledged - self._spare, min(self._told, self._acknowledged))
        if begin > self._begin:
            del self._held[: begin - self._begin]
            self._begin = begin
        self._freed.set()
