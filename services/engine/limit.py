"""How many calls an engine is given at once, found out by watching what it gets done.

Up to the engine's capacity more calls at once get more done; beyond it they only wait there, where
no live call can overtake them. Latency cannot tell the two apart: an engine that works in batches
is slower with each call and still gets more done. So the size is tried out, as hill climbing does:
the rate of answers is measured at a lower and at a higher rung of a ladder, and the higher one is
worth it when it brings a quarter of the gain that an engine without bound would show. Of an engine
that says itself that no call waits in it, nearly any gain is enough: what works in batches gets
more done with each call, if ever less. The first climb is by two rungs, which double the size and
show their gain soon. Between trials a margin of a quarter is added, so that the engine never idles
while an answer is carried off and the next call comes. Trials that change nothing become rare. An
engine that says how many calls it works on at once is given as many and a margin, and nothing is
tried out with it. Where the engine itself tells how many calls wait in it, more than the margin
forbid a rise and bring the limit down; where it refuses, the limit falls too.

Only ends of calls while others wait are counted: an engine that is not full shows nothing of its
capacity. It knows neither time nor what is asked; both are told.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

_WORTH: Final = 1 / 4
"""The share of the ideal gain from which on a higher size is worth it."""
_WORTH_WHEN_NONE_WAIT: Final = 1 / 32
"""The same while the engine says that no call waits in it."""
_MARGIN: Final = 4
"""One more call for so many of the size."""
_FEW: Final = 2
"""The margin of an engine whose size is known and small, but no more than that size: its answers
often end together.
"""
_ENDS: Final = 32
_ENDS_PER_PLACE: Final = 6
"""How many ends of calls measure one size: enough that chance seldom decides."""
_DOUBLE: Final = 2
"""The rungs that double a size."""
_RESTS: Final = {+1: 16, -1: 48}
"""The most measures between two trials: a trial of fewer calls costs, one of more hardly."""
_CHANGED: Final = 1.5
"""From this factor on the engine is not what it was, and a trial is due."""


class _Phase(Enum):
    REST = "rest"
    LOW = "low"
    HIGH = "high"


@dataclass
class _Measure:
    skipped: int = 0
    ended: int = 0
    begun: float = 0.0


class Limit:
    """Follows the capacity of one engine, from 1 to `most` calls."""

    def __init__(self, *, most: int, start: int = 4) -> None:
        self._ladder = _ladder(most)
        self._rung = max(i for i, size in enumerate(self._ladder) if size <= max(1, start))
        self._most = most
        self._phase = _Phase.LOW
        self._step = +1
        self._stride = _DOUBLE
        """How many rungs a rise is: two until the first that is not worth it."""
        self._rest = 0
        self._rests = dict.fromkeys(_RESTS, 1)
        self._low = self._usual = 0.0
        self._waiting: int | None = None
        self._home: int | None = None
        """The rung that the engine has named. None: it names none."""
        self._fell = False
        """Whether it fell, and most of those at the engine began before that."""
        self._measure = _Measure()
        if len(self._ladder) == 1:
            self._phase = _Phase.REST

    @property
    def places(self) -> int:
        """How many calls may be at the engine now."""
        size = self._ladder[self._tried()]
        return min(self._most, size + self._margin() if self._phase is _Phase.REST else size)

    def answered(self, now: float) -> None:
        """Take note of a call that was answered while others waited."""
        measure = self._measure
        if measure.skipped < self.places:
            # These began under another size.
            measure.skipped += 1
            measure.begun = now
        else:
            self._fell = False
            measure.ended += 1
            if measure.ended >= self._enough() and now > measure.begun:
                self._judge(measure.ended / (now - measure.begun))

    def idled(self) -> None:
        """Take note that nobody waits for a place that is free: what was measured is void."""
        self._measure = _Measure()

    def told(self, waiting: int | None) -> None:
        """Take note of how many calls wait inside the engine, by its own word, if it has one."""
        self._waiting = waiting
        # Just after a trial those wait that it has sent.
        settled = self._phase is _Phase.REST and self._measure.skipped >= self.places
        if settled and (waiting or 0) > self._margin():
            self._fall()

    def serves(self, slots: int | None) -> None:
        """Take note of how many calls the engine works on at once, by its own word, if it says."""
        last = len(self._ladder) - 1
        home = slots and next((i for i, size in enumerate(self._ladder) if size >= slots), last)
        if home == self._home:
            return
        self._home = home
        if home is not None:
            self._rung = home
        self._settle()

    def refused(self) -> None:
        """Take note that the engine has too much to do."""
        if not self._fell:
            self._fall()

    def _pair(self) -> tuple[int, int]:
        """The rungs that a trial compares."""
        if self._step < 0:
            return self._rung - 1, self._rung
        return self._rung, min(self._rung + self._stride, len(self._ladder) - 1)

    def _ideal(self) -> float:
        low, high = self._pair()
        return self._ladder[high] / self._ladder[low] - 1

    def _enough(self) -> int:
        enough = _ENDS + _ENDS_PER_PLACE * self.places
        # A gain that may be so large is plain sooner.
        return enough // 2 if self._phase is not _Phase.REST and self._ideal() >= 1 else enough

    def _tried(self) -> int:
        low, high = self._pair()
        return {_Phase.LOW: low, _Phase.HIGH: high}.get(self._phase, self._rung)

    def _margin(self) -> int:
        size = self._ladder[self._rung]
        return max(1 if self._home is None else min(size, _FEW), size // _MARGIN)

    def _judge(self, rate: float) -> None:
        self._measure = _Measure()
        match self._phase:
            case _Phase.REST if self._home is not None:
                self._rung = min(self._rung + 1, self._home)
            case _Phase.REST:
                changed = not 1 / _CHANGED < rate / (self._usual or rate) < _CHANGED
                self._usual = rate
                self._rest -= 1
                if (changed or self._rest <= 0) and len(self._ladder) > 1:
                    self._phase = _Phase.LOW
            case _Phase.LOW:
                self._low = rate
                self._phase = _Phase.HIGH
            case _Phase.HIGH:
                self._decide(rate)

    def _decide(self, rate: float) -> None:
        if self._is_worth(rate) == (self._step > 0):
            low, high = self._pair()
            self._rung = high if self._step > 0 else low
            self._rests = dict.fromkeys(_RESTS, 1)
            self._low = rate
            if self._leads_on():
                # What was the high size of a rise is the low one of the next.
                self._phase = _Phase.HIGH if self._step > 0 else _Phase.LOW
                return
        else:
            self._rests[self._step] = min(2 * self._rests[self._step], _RESTS[self._step])
        self._step = -self._step
        self._settle()

    def _leads_on(self) -> bool:
        return 0 <= self._rung + self._step < len(self._ladder)

    def _is_worth(self, rate: float) -> bool:
        if self._step > 0 and (self._waiting or 0) > self._margin():
            return False
        worth = _WORTH if self._waiting is None else _WORTH_WHEN_NONE_WAIT
        return rate / self._low - 1 >= worth * self._ideal()

    def _fall(self) -> None:
        self._rung = max(0, self._rung - 1)
        self._step = +1
        self._settle()
        self._fell = True

    def _settle(self) -> None:
        self._stride = 1
        if not self._leads_on():
            self._step = -self._step
        self._phase = _Phase.REST
        self._rest = self._rests[self._step]
        self._usual = 0.0
        self._measure = _Measure()


def _ladder(most: int) -> list[int]:
    sizes = [1]
    while sizes[-1] < most:
        last = sizes[-1]
        sizes.append(min(most, last + max(1, (1 << last.bit_length()) // 4)))
    return sizes
