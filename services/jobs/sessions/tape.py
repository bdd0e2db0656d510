"""The last audio of sessions, for an audio room that has lost what it took and did not yet put into
words. It knows no encoding.
"""

from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from typing import Final

from services.jobs.sessions.domain import SessionKey
from services.jobs.sessions.live import Chunk, End

_MOST_BYTES: Final = 2 * 1024 * 1024
"""A minute of 16-bit audio at 16 kHz: the audio room lets half of that wait."""


class Tape:
    """Keeps what passes, in order, from somewhere on; offsets are those of the session's audio."""

    def __init__(self) -> None:
        self.begin = 0
        """Where what is kept begins."""
        self.end = 0
        """Where it ends."""
        self.expected = 0
        """Where a chunk begins that does not say so."""
        self._pieces: deque[bytes] = deque()

    async def passing(self, messages: AsyncIterator[Chunk | End]) -> AsyncIterator[Chunk | End]:
        """Pass on what is sent, and keep it."""
        async for message in messages:
            if isinstance(message, Chunk):
                self._keep(message)
            yield message

    def forget(self, before: int) -> None:
        """Keep no more what comes before an offset."""
        while self._pieces and self.begin + len(self._pieces[0]) <= before:
            self.begin += len(self._pieces.popleft())

    def between(self, begin: int, end: int) -> bytes:
        """What comes between two offsets, of which all is kept."""
        return b"".join(self._pieces)[begin - self.begin : end - self.begin]

    def _keep(self, chunk: Chunk) -> None:
        offset = self.expected if chunk.offset is None else chunk.offset
        self.expected = offset + len(chunk.data)
        if offset > self.end:
            # Nobody here has what lies between.
            self.begin = self.end = offset
            self._pieces.clear()
        if new := chunk.data[self.end - offset :]:
            self._pieces.append(new)
            self.end += len(new)
        self.forget(self.end - _MOST_BYTES)


class Tapes:
    """Those of the newest sessions, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[SessionKey, Tape] = OrderedDict()

    def put(self, key: SessionKey, tape: Tape) -> None:
        """Keep a session's tape."""
        self._kept[key] = tape
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def of(self, key: SessionKey) -> Tape:
        """Return a session's tape; an empty one, where there is none."""
        return self._kept.get(key) or Tape()

    def drop(self, key: SessionKey) -> None:
        """Keep a session's tape no more."""
        self._kept.pop(key, None)
