"""What a stream has still to say to a watcher who reads as slowly as it likes. It knows no socket.

It holds little however slowly is read: pieces of an answer become one, and who fills it waits until
the watcher asks for more before there is more to say.
"""

import asyncio
from collections import deque
from dataclasses import replace

from services.vision.live.domain import Piece, Reply


class Outbox:
    """Hands replies over, the oldest first, until it is closed."""

    def __init__(self) -> None:
        self._replies: deque[Reply] = deque()
        self._filled = asyncio.Event()
        self._wanted = asyncio.Event()
        self._closed = False
        self._error: BaseException | None = None

    def put(self, reply: Reply) -> None:
        """Say this too. A piece that follows a piece of the same answer becomes one with it."""
        last = self._replies[-1] if self._replies else None
        if isinstance(reply, Piece) and isinstance(last, Piece) and last.number == reply.number:
            self._replies[-1] = replace(last, text=last.text + reply.text)
        else:
            self._replies.append(reply)
        self._wanted.clear()
        self._filled.set()

    def close(self, error: BaseException | None = None) -> None:
        """Say nothing after this; an error is raised at once to whoever reads."""
        self._closed = True
        self._error = self._error or error
        self._filled.set()

    async def wanted(self) -> None:
        """Wait until everything was taken and more is asked for."""
        await self._wanted.wait()

    def __aiter__(self) -> "Outbox":
        """Read it."""
        return self

    async def __anext__(self) -> Reply:
        """Take the next reply."""
        if not self._replies and not self._closed:
            self._filled.clear()
            self._wanted.set()
        await self._filled.wait()
        if self._error is not None:
            raise self._error
        if not self._replies:
            raise StopAsyncIteration
        return self._replies.popleft()
