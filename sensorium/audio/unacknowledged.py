"""The audio of a session that the other side does not hold yet, within bounds: what came in and was
not acknowledged can be sent again. It knows no wire.
"""

import asyncio
from collections.abc import AsyncIterable
from typing import Final

from sensorium.audio.capture import BYTES_PER_SECOND

MOST_BYTES: Final = 150 * BYTES_PER_SECOND
"""A session is kept for about two minutes without a stream; older audio would be of no use."""
CHUNK_BYTES: Final = 64 * 1024


class Unacknowledged:
    """Audio by its offset in bytes from the start of a session."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = bytearray()
        self._begin = 0
        self._is_ended = False
        self._came = asyncio.Event()
        self._freed = asyncio.Event()

    async def follow(self, audio: AsyncIterable[bytes]) -> None:
        """Take audio until it ends; while too much is held, take no more."""
        try:
            async for chunk in audio:
                while len(self._held) >= self._most:
                    self._freed.clear()
                    await self._freed.wait()
                self._held += chunk
                self._came.set()
        finally:
            self._is_ended = True
            self._came.set()

    def acknowledge(self, offset: int) -> None:
        """Let go of what comes before an offset."""
        offset = min(offset, self._begin + len(self._held))
        if offset > self._begin:
            del self._held[: offset - self._begin]
            self._begin = offset
            self._freed.set()

    async def chunk(self, offset: int) -> bytes:
        """Wait for what comes at an offset, or for the end, which is empty."""
        while (at := offset - self._begin) >= len(self._held) and not self._is_ended:
            self._came.clear()
            await self._came.wait()
        return bytes(self._held[max(0, at) : max(0, at) + CHUNK_BYTES])
