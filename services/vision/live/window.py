"""The frames of a stream that are kept: as many as one answer looks at, and no more bytes of them
than the limits and the other streams allow. It knows neither why frames come nor what becomes of
them.
"""

from collections.abc import Iterable, Iterator

from services.chassis import limits
from services.chassis.pool import Account
from services.vision.live.domain import Frame, Spread


class Window:
    """Keeps the newest frame, if there is room for it, and others by the spread. What it cannot
    keep, it gives back.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._frames: list[Frame] = []
        self._most = 1
        self._spread = Spread.NEWEST

    def __iter__(self) -> Iterator[Frame]:
        """The frames, the oldest first."""
        return iter(tuple(self._frames))

    def shape(self, most: int, spread: Spread) -> list[Frame]:
        """Keep `most` frames by `spread` from now on."""
        self._most, self._spread = most, spread
        return self._shrink()

    def add(self, frame: Frame) -> list[Frame]:
        """Take in a frame that has just come."""
        self._frames.append(frame)
        return self._shrink()

    def put_back(self, frames: Iterable[Frame]) -> list[Frame]:
        """Take in frames that were taken out, as far as there is room beside newer ones."""
        lost = [it for it in frames if it not in self._frames]
        self._frames = sorted([*lost, *self._frames], key=lambda it: it.received)
        return self._shrink()

    def take(self) -> tuple[Frame, ...]:
        """Give the frames for an answer; they stay if the next may look at them again."""
        taken = tuple(self._frames)
        if self._spread is Spread.SINCE_LAST_REPLY:
            self._frames.clear()
            self._shrink()
        return taken

    def clear(self) -> list[Frame]:
        """Give all frames back."""
        left, self._frames = self._frames, []
        self._shrink()
        return left

    def remove(self, frame: Frame) -> None:
        """Forget a frame, if it is kept."""
        if frame in self._frames:
            self._frames.remove(frame)
            self._shrink()

    def _shrink(self) -> list[Frame]:
        left = []
        while len(self._frames) > self._most or not self._has_room():
            left.append(self._frames.pop(self._least()))
        return left

    def _has_room(self) -> bool:
        total = sum(len(it.data) for it in self._frames)
        is_heavy = len(self._frames) > 1 and total > limits.WINDOW_BYTES
        return not is_heavy and self._account.hold(total)

    def _least(self) -> int:
        """Which frame can be done without: the oldest, or the one that leaves the least gap."""
        inner = range(1, len(self._frames) - 1)
        if self._spread is Spread.NEWEST or not inner:
            return 0
        return min(
            inner, key=lambda at: self._frames[at + 1].received - self._frames[at - 1].received
        )
