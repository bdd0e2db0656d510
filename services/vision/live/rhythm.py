"""How regularly the frames of a stream come: one that is about to come is worth waiting for, since
it is newer by a whole interval.
"""

from typing import Final

_NEW_SHARE: Final = 0.2
"""The share of the newest interval in what intervals are."""
_PATIENCE: Final = 0.25
"""The share of an interval that is waited at most."""
_MOST_SECONDS: Final = 0.01
_LATE_SECONDS: Final = 0.002
"""How late a frame may be."""


class Rhythm:
    """Follows when frames come."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._interval: float | None = None

    def came(self, at: float) -> None:
        """Take note of a frame."""
        if self._last is not None:
            gap = at - self._last
            usual = gap if self._interval is None else self._interval
            self._interval = usual + (gap - usual) * _NEW_SHARE
        self._last = at

    def soon(self, now: float) -> float | None:
        """Until when the next frame is worth waiting for. None: it is not."""
        if self._last is None or self._interval is None:
            return None
        due = self._last + self._interval
        early = min(self._interval * _PATIENCE, _MOST_SECONDS)
        return due + _LATE_SECONDS if due - early <= now < due + _LATE_SECONDS else None
