"""How many jobs of a type a worker works on while the engine behind them refuses.

An engine that is full or down refuses at once, so a worker that went on at full speed would take
up all that wait only to have each refused in turn. As TCP does, it halves the places of the type
instead, and takes up none of it for as long as was asked for, a second at least; each job that is
done gives a place back. Types whose engines are well are not held back. It knows no queue.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.chassis.clock import Clock
from services.jobs.content import JobType

_SHORTEST_REST: Final = timedelta(seconds=1)


@dataclass
class _Slowed:
    places: int
    rests_until: float


class Throttle:
    """Bounds the jobs of each type that are worked on, `places` at most."""

    def __init__(self, places: int, clock: Clock) -> None:
        self._most = places
        self._clock = clock
        self._working: Counter[JobType] = Counter()
        self._slowed: dict[JobType, _Slowed] = {}

    def bounds(self) -> Mapping[JobType, int]:
        """Tell how many more may be taken up of each type that is held back now."""
        now, bounds = self._clock.monotonic(), {}
        for kind, slowed in tuple(self._slowed.items()):
            if now < slowed.rests_until:
                bounds[kind] = 0
            elif slowed.places < self._most:
                bounds[kind] = max(0, slowed.places - self._working[kind])
            else:
                del self._slowed[kind]
        return bounds

    def began(self, kind: JobType) -> None:
        """Take note of a job that is worked on from now on."""
        self._working[kind] += 1

    def ended(self, kind: JobType, *, done: bool) -> None:
        """Take note of a job that is worked on no more."""
        self._working[kind] -= 1
        if done and (slowed := self._slowed.get(kind)) is not None:
            slowed.places = min(self._most, slowed.places + 1)

    def refused(self, kind: JobType, wait: timedelta) -> None:
        """Take note that a job's engine does not take it now, and asks to be left alone for long.

        Those that were taken up together are refused together: until the rest is over they count
        once.
        """
        now = self._clock.monotonic()
        until = now + max(wait, _SHORTEST_REST).total_seconds()
        slowed = self._slowed.setdefault(kind, _Slowed(self._most, now))
        if now >= slowed.rests_until:
            slowed.places = max(1, slowed.places // 2)
        slowed.rests_until = max(slowed.rests_until, until)
