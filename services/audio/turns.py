"""The model's one thread, and who is next at it: whoever has waited longest since their last turn.
So sessions and recordings share the model evenly, whatever each of them asks. Parts that wait at
the same moment are done together, as many as the model likes to do at once; none of them waits for
another to come. It knows no speech.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from services.chassis.clock import Clock

Part = TypeVar("Part")
Answer = TypeVar("Answer")
Result = TypeVar("Result")

_WEIGHT: Final = 0.2
"""Of the last turn in the mean: a machine that gets busy is noticed within some ten turns."""


@dataclass(frozen=True)
class _Place(Generic[Part, Answer]):
    """Someone in the line."""

    turn: "asyncio.Future[Answer | None]"
    offer: Callable[[], Part | None] | None = None
    """None: the turn is wanted alone."""


class Turns(Generic[Part, Answer]):
    """Gives turns at the model, one at a time."""

    def __init__(
        self, together: Callable[[Sequence[Part]], Sequence[Answer]], *, most: int, clock: Clock
    ) -> None:
        self._together = together
        self._most = most
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._line: list[tuple[float, int, _Place[Part, Answer]]] = []
        self._numbers = itertools.count()
        self._busy = False
        self.mean_seconds = 0.0
        """What a part took of the model lately. Zero: there were none."""

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return sum(not place.turn.done() for _, _, place in self._line)

    async def take(self, work: Callable[[], Result], *, since: float) -> Result:
        """Do work alone in the model's thread when its turn has come. `since`: when on the
        monotonic clock the last turn of the same session or recording ended; the earliest goes
        first.

        When cancelled, work that has begun goes on to its end, and nobody overtakes it.
        """
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Answer | None] = loop.create_future()
        self._enter(_Place(turn), since)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()
            raise
        working = self._thread.submit(work)
        # When the thread is done, not when the caller stops waiting: nobody overtakes the thread.
        working.add_done_callback(lambda _: _soon(loop, self._release))
        return await asyncio.wrap_future(working)

    async def join(self, offer: Callable[[], Part | None], *, since: float) -> Answer | None:
        """Do a part together with those of all who wait when its turn has come: `offer` gives it
        at that moment. None, given or returned: there is nothing to do any more.
        """
        turn: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._enter(_Place(turn, offer), since)
        return await turn

    def note(self, seconds: float) -> None:
        """Count a part that took so many seconds into the mean."""
        weight = _WEIGHT if self.mean_seconds else 1.0
        self.mean_seconds += weight * (seconds - self.mean_seconds)

    def close(self) -> None:
        """Give no more turns, and do not wait for the one under way."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _enter(self, place: _Place[Part, Answer], since: float) -> None:
        heapq.heappush(self._line, (since, next(self._numbers), place))
        self._call_next()

    def _call_next(self) -> None:
        while self._line and not self._busy:
            _, _, first = heapq.heappop(self._line)
            if first.turn.done():
                continue
            if first.offer is None:
                self._busy = True
                first.turn.set_result(None)
            elif parts := self._gathered(first):
                self._begin(parts)

    def _gathered(
        self, first: _Place[Part, Answer]
    ) -> list[tuple["asyncio.Future[Answer | None]", Part]]:
        """Ask the first for a part, and then those who wait with one, the longest first."""
        parts = list[tuple["asyncio.Future[Answer | None]", Part]]()
        for place in (first, *(it for _, _, it in sorted(self._line, key=_order))):
            if len(parts) == self._most:
                break
            if place.offer is None or place.turn.done():
                continue
            try:
                part = place.offer()
            except Exception as failed:
                place.turn.set_exception(failed)
                continue
            if part is None:
                place.turn.set_result(None)
            else:
                parts.append((place.turn, part))
        begun = {id(turn) for turn, _ in parts}
        self._line = [it for it in self._line if id(it[2].turn) not in begun]
        heapq.heapify(self._line)
        return parts

    def _begin(self, parts: Sequence[tuple["asyncio.Future[Answer | None]", Part]]) -> None:
        self._busy = True
        loop, turns = asyncio.get_running_loop(), [turn for turn, _ in parts]
        working = self._thread.submit(self._work, [part for _, part in parts])
        working.add_done_callback(lambda done: _soon(loop, lambda: self._tell(turns, done)))

    def _work(self, parts: Sequence[Part]) -> tuple[Sequence[Answer | Exception], float]:
        started = self._clock.monotonic()
        answers = self._answers(parts)
        return answers, (self._clock.monotonic() - started) / len(parts)

    def _answers(self, parts: Sequence[Part]) -> Sequence[Answer | Exception]:
        try:
            return self._together(parts)
        except Exception as failed:
            if len(parts) == 1:
                return [failed]
            # Nobody fails because of who happened to wait beside them.
            return [answer for part in parts for answer in self._answers([part])]

    def _tell(
        self,
        turns: Iterable["asyncio.Future[Answer | None]"],
        working: Future[tuple[Sequence[Answer | Exception], float]],
    ) -> None:
        if working.cancelled():
            for turn in turns:
                turn.cancel()
            return
        answers, seconds = working.result()
        self.note(seconds)
        for turn, answer in zip(turns, answers, strict=True):
            if turn.done():
                continue
            if isinstance(answer, Exception):
                turn.set_exception(answer)
            else:
                turn.set_result(answer)
        self._release()

    def _release(self) -> None:
        self._busy = False
        self._call_next()


def _order(place: tuple[float, int, object]) -> tuple[float, int]:
    return place[0], place[1]


def _soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
        loop.call_soon_threadsafe(callback)
