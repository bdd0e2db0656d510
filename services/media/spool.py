"""Bytes that come in pieces, kept on disk until they are whole, so that a file of any size never
stands in memory. What may lie there is bounded for all of them together. It knows no media.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import IO, Final

from services.chassis.errors import Exhausted, InvalidInput
from services.chassis.limits import MEBIBYTE

_RETRY_AFTER: Final = timedelta(seconds=60)
"""About as long as a large file takes to be worked on."""


class Shelf:
    """Room for so many bytes in the system's folder for temporary files."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.free_bytes = most_bytes

    @asynccontextmanager
    async def spool(self, field: str) -> AsyncIterator["Spool"]:
        """Keep one file for a block; `field` is where its bytes come from. It has no name, so that
        nothing is left of it whatever happens.
        """
        with tempfile.TemporaryFile() as file:
            spool = Spool(self, file, field)
            try:
                yield spool
            finally:
                self.free_bytes += spool.size


class Spool:
    """A file that grows, and is then read by one process."""

    def __init__(self, shelf: Shelf, file: IO[bytes], field: str) -> None:
        self.size = 0
        """Its bytes so far."""
        self.field = field
        """Where they come from."""
        self.most_bytes = shelf.most_bytes
        """As many as there may ever be."""
        self._shelf = shelf
        self._file = file

    async def add(self, data: bytes) -> None:
        """Append bytes. Raises `InvalidInput` for more than there will ever be room for, and
        `Exhausted` while others take it up.
        """
        if self.size + len(data) > self._shelf.most_bytes:
            raise InvalidInput.field(
                self.field,
                f"is more than {self._shelf.most_bytes // MEBIBYTE} MiB",
                remedy="send its sound alone, compressed as Opus or MP3, or send it in parts",
                code="AUDIO_TOO_BIG",
            )
        if len(data) > self._shelf.free_bytes:
            raise _full("too much is being sent at once")
        self._shelf.free_bytes -= len(data)
        self.size += len(data)
        try:
            await asyncio.to_thread(self._file.write, data)
        except OSError:
            raise _full("there is no room for it on disk") from None

    async def whole(self) -> int:
        """Say that it is whole; its descriptor, which stands at its beginning."""
        return (await self.opened()).fileno()

    async def opened(self) -> IO[bytes]:
        """Say that it is whole; its file, which stands at its beginning."""
        await asyncio.to_thread(self._file.seek, 0)
        return self._file

    def estimate(self, amount: float) -> float:
        """Of what the bytes read so far have come to, by whoever was given its descriptor, how much
        all of them will.
        """
        read = os.lseek(self._file.fileno(), 0, os.SEEK_CUR)
        return amount * self.size / read if read else 0.0


def _full(problem: str) -> Exhausted:
    return Exhausted(problem, remedy="try again later", retry_after=_RETRY_AFTER)
