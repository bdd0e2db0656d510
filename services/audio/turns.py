"""The model's one thread, and who is next at it: whoever has waited longest since their last turn.
So sessions and recordings share the model evenly, whatever each of them asks. It knows no speech.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

Result = TypeVar("Result")

_WEIGHT: Final = 0.2
"""Of the last turn in the mean: a machine that gets busy is noticed within some ten turns."""


class Turns:
    """Gives turns at the model, one at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._busy = False
        self.mean_seconds = 0.0
        """How long live turns took lately. Zero: there were none."""

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return sum(not turn.done() for _, _, turn in self._waiting)

    async def take(self, work: Callable[[], Result], *, since: float) -> Result:
        """Do work in the model's thread when its turn has come. `since`: when on the monotonic
        clock the last turn of the same session or recording ended; the earliest goes first.

        When cancelled, work that has begun goes on to its end, and nobody overtakes it.
        """
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (since, next(self._numbers), turn))
        self._call_next()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()
            raise
        loop = asyncio.get_running_loop()
        working = self._thread.submit(work)
        # When the thread is done, not when the caller stops waiting: nobody overtakes the thread.
        working.add_done_callback(lambda _: _soon(loop, self._release))
        return await asyncio.wrap_future(working)

    def _call_next(self) -> None:
        while self._waiting and not self._busy:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._busy = True
                turn.set_result(None)

    def _release(self) -> None:
        self._busy = False
        self._call_next()

    def note(self, seconds: float) -> None:
        """Count a live turn of so many seconds into the mean."""
        weight = _WEIGHT if self.mean_seconds else 1.0
        self.mean_seconds += weight * (seconds - self.mean_seconds)

    def close(self) -> None:
        """Give no more turns, and do not wait for the one under way."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
        loop.call_soon_threadsafe(callback)
