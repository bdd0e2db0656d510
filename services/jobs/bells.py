"""Bells that wake whoever waits for something inside this process. They carry no news: a woken
waiter looks for itself, so a bell may ring for nothing and may be missed without harm.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Bell:
    """Remembers that it rang until somebody has waited for it."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the waiter, or the next one at once."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Return once it has rung since the last wait, at the latest after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()


class Bells:
    """The bells of a process, by topic."""

    def __init__(self) -> None:
        self._hung: dict[str, set[Bell]] = defaultdict(set)

    @contextmanager
    def hung(self, topic: str) -> Iterator[Bell]:
        """Hang up a bell for a block."""
        bell = Bell()
        self._hung[topic].add(bell)
        try:
            yield bell
        finally:
            self._hung[topic].discard(bell)
            if not self._hung[topic]:
                del self._hung[topic]

    def ring(self, topic: str) -> None:
        """Ring every bell of a topic."""
        for bell in self._hung.get(topic, ()):
            bell.ring()

    def ring_all(self) -> None:
        """Ring every bell, for news may have been missed."""
        for topic in tuple(self._hung):
            self.ring(topic)
