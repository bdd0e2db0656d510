"""How many jobs may wait. What is counted is the store's; between two counts what this process has
let in is added, so that it never lets in too many; what other processes let in meanwhile is seen a
second late, and a minute late while there is room for twice as many.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import Exhausted
from services.jobs.content import JobType
from services.jobs.ports.store import JobStore

TENANT_JOBS: Final = 1_000_000
"""How many jobs of one tenant may wait unless the operator says otherwise."""

_FRESH_SECONDS: Final = 1.0
_ROOMY_SECONDS: Final = 60.0
# Before anybody is refused it is counted again, but not more often than that.
_REFUSED_SECONDS: Final = 0.1
_AGAIN: Final = timedelta(seconds=5)


_Bound = tuple[str, str]
"""What is bounded: ("tenant", its name) or ("type", its name)."""


class Capacity:
    """Lets jobs in while there is room for them."""

    def __init__(
        self,
        store: JobStore,
        *,
        types: Mapping[JobType, int] | None = None,
        tenant: int = TENANT_JOBS,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._types = types or {}
        self._tenant = tenant
        self._clock = clock or SystemClock()
        self._counted: Counter[_Bound] = Counter()
        self._since: Counter[_Bound] = Counter()
        self._coming: Counter[_Bound] = Counter()
        self._counted_at = float("-inf")
        self._counting = asyncio.Lock()

    @asynccontextmanager
    async def place(self, tenant: str, kind: JobType) -> AsyncIterator[None]:
        """Hold a place for a job that is created in the block. Raises `Exhausted` without one."""
        bounds = self._bounds(tenant, kind)
        fresh = _FRESH_SECONDS if self._fullness(bounds) >= 1 / 2 else _ROOMY_SECONDS
        await self._count(older_than=fresh)
        if self._fullness(bounds) >= 1:
            await self._count(older_than=_REFUSED_SECONDS)
        for bound in bounds:
            if self._fullness({bound: bounds[bound]}) >= 1:
                raise _full(bound)
        self._coming.update(bounds.keys())
        try:
            yield
            self._since.update(bounds.keys())
        finally:
            self._coming.subtract(bounds.keys())

    def _bounds(self, tenant: str, kind: JobType) -> Mapping[_Bound, int]:
        bounds = {("tenant", tenant): self._tenant}
        if kind in self._types:
            bounds["type", kind] = self._types[kind]
        return bounds

    def _fullness(self, bounds: Mapping[_Bound, int]) -> float:
        return max(
            (self._counted[bound] + self._since[bound] + self._coming[bound]) / most
            for bound, most in bounds.items()
        )

    async def _count(self, *, older_than: float) -> None:
        if self._clock.monotonic() - self._counted_at <= older_than:
            return
        async with self._counting:
            begun = self._clock.monotonic()
            if begun - self._counted_at <= older_than:
                return
            # What is created while it is counted may be counted twice, never not at all.
            self._since = Counter()
            counted: Counter[_Bound] = Counter()
            for (tenant, kind), jobs in (await self._store.waiting()).items():
                counted["tenant", tenant] += jobs
                counted["type", kind] += jobs
            self._counted, self._counted_at = counted, begun


def _full(bound: _Bound) -> Exhausted:
    what, name = bound
    return Exhausted(
        f"as many jobs as may of {what} {name} wait",
        remedy="try again when some are done",
        code="QUEUE_FULL",
        retry_after=_AGAIN,
    )
