"""Admission to an engine: as many calls at once as it has use for, so many waiting in each class,
with so many bytes at most, others refused at once and told when to come again.

Whoever could not be answered before its deadline, by what calls took of late, is refused at once
too: its answer would be thrown away. Waiting ends with the call: who leaves gives its place back.
It knows nothing of what is asked.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from services.chassis import call
from services.chassis.call import Priority
from services.chassis.errors import Exhausted
from services.engine import gauges
from services.engine.limit import Limit
from services.engine.line import Line, Waiter

_REMEDY: Final = "try again after the time told, or ask for less at once"
_SOONEST: Final = timedelta(seconds=0.1)
_LATEST: Final = timedelta(seconds=60)
_UNKNOWN: Final = timedelta(seconds=1)
_NEW_SHARE: Final = 0.1
"""The share of the newest call in what calls take."""


class Gate:
    """Gives turns at an engine, `waiting` calls of each class held back at most (of live ones
    `live_waiting`, if that is given), and with them at most `waiting_bytes`. Tenants take turns by
    their `weights`.
    """

    def __init__(
        self,
        limit: Limit,
        *,
        waiting: int,
        waiting_bytes: int,
        live_waiting: int | None = None,
        weights: Mapping[str, int] = MappingProxyType({}),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        rooms = dict.fromkeys(Priority, waiting)
        if live_waiting is not None:
            rooms[Priority.LIVE] = live_waiting
        self._line: Line[asyncio.Future[None]] = Line(
            rooms=rooms, most_bytes=waiting_bytes, weights=weights
        )
        self._clock = clock
        self._inside = 0
        self._seconds = 0.0
        """What a call takes at the engine. Zero: none was answered yet."""
        self._count_refused = gauges.watch(
            limit=lambda: limit.places, calls=lambda: self._inside, waiting=self._line.waiting
        )

    @property
    def is_full(self) -> bool:
        """Whether calls wait for a turn."""
        return bool(self._line)

    def serves(self, slots: int | None) -> None:
        """Take note of how many calls the engine works on at once. None: it does not say."""
        self._limit.serves(slots)

    def told(self, waiting: int | None) -> None:
        """Take note of how many calls wait inside the engine. None: it does not say."""
        self._limit.told(waiting)

    def require_room(self, size: int) -> None:
        """Raise `Exhausted` where a call that holds so many bytes would be refused a turn now."""
        if not self._is_open():
            self._require_room(self._waiter(size))

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Wait for a turn and hold it for a block; `size` bytes are held meanwhile.

        Raises `Exhausted` at once when too many wait, or too much. The wait ends with the deadline
        of the call under way, which cancels it.
        """
        await self._enter(size)
        begun = self._clock()
        try:
            yield
            self._learn(begun)
        except Exhausted:
            self._limit.refused()
            raise
        finally:
            self._leave()

    def _is_open(self) -> bool:
        return not self._line and self._inside < self._limit.places

    def _waiter(self, size: int) -> Waiter[asyncio.Future[None]]:
        now = call.current()
        key = asyncio.get_running_loop().create_future()
        return Waiter(key, now.priority, now.tenant, size)

    def _require_room(self, waiter: Waiter[asyncio.Future[None]]) -> None:
        left = call.current().remaining()
        late = left is not None and left < self._wait(waiter.priority) + self._seconds
        if late or not self._line.takes(waiter):
            raise self._refusal(waiter.priority)

    async def _enter(self, size: int) -> None:
        if self._is_open():
            self._inside += 1
            return
        waiter = self._waiter(size)
        self._require_room(waiter)
        sent_away = self._line.join(waiter)
        if sent_away is not None:
            sent_away.key.set_exception(self._refusal(waiter.priority))
        try:
            await waiter.key
        except asyncio.CancelledError:
            self._line.leave(waiter)
            if not waiter.key.cancelled() and waiter.key.exception() is None:
                # It left just as it was called.
                self._leave()
            raise

    def _leave(self) -> None:
        self._inside -= 1
        while self._line and self._inside < self._limit.places:
            called = self._line.next().key
            if not called.done():
                self._inside += 1
                called.set_result(None)
        if self._inside < self._limit.places:
            self._limit.idled()

    def _learn(self, begun: float) -> None:
        now = self._clock()
        took = now - begun
        self._seconds += (took - self._seconds) * (_NEW_SHARE if self._seconds else 1)
        if self._line:
            self._limit.answered(now)

    def _wait(self, priority: Priority) -> float:
        return (self._line.ahead_of(priority) + 1) * self._seconds / self._limit.places

    def _refusal(self, priority: Priority) -> Exhausted:
        self._count_refused(priority)
        wait = timedelta(seconds=self._wait(priority))
        after = min(max(wait, _SOONEST), _LATEST) if wait else _UNKNOWN
        return Exhausted("the engine has too much to do", remedy=_REMEDY, retry_after=after)
