"""A bound on what is asked of an engine at once: so many at work, so many waiting, others refused.

It knows nothing of what is asked.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from services.chassis.errors import Exhausted

_RETRY_AFTER: Final = timedelta(seconds=1)


class Gate:
    """Lets calls through in the order in which they come."""

    def __init__(self, *, calls: int, waiting: int) -> None:
        self._turns = asyncio.Semaphore(calls)
        self._most = calls + waiting
        self._inside = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it for a block. Raises `Exhausted` at once when too many wait.

        The wait ends with the deadline of the call under way, which cancels it.
        """
        if self._inside >= self._most:
            raise Exhausted("the engine has too much to do", retry_after=_RETRY_AFTER)
        self._inside += 1
        try:
            async with self._turns:
                yield
        finally:
            self._inside -= 1
