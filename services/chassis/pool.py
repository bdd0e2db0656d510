"""Memory that many share: each may always hold its part of one half, and more while the other half
lasts. It knows neither what is held nor who holds it.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class Pool:
    """So many bytes for so many holders at once."""

    def __init__(self, total: int, *, holders: int) -> None:
        self.part = total // 2 // holders
        """What each may hold in any case, in bytes."""
        self.held = 0
        """What all hold, in bytes."""
        self._spare = total - self.part * holders

    @contextmanager
    def account(self) -> Iterator["Account"]:
        """Hold something for a block, at whose end it is given back."""
        account = Account(self)
        try:
            yield account
        finally:
            account.hold(0)

    def exchange(self, before: int, after: int) -> bool:
        """Let a holder hold `after` bytes in place of `before`. False: it may not."""
        more = max(0, after - self.part) - max(0, before - self.part)
        if more > self._spare:
            return False
        self._spare -= more
        self.held += after - before
        return True


class Account:
    """What one holds of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._held = 0

    def hold(self, size: int) -> bool:
        """Hold so many bytes from now on, in place of what was held. False: there is no room, and
        nothing has changed.
        """
        if not self._pool.exchange(self._held, size):
            return False
        self._held = size
        return True
