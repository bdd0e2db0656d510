"""Removes, now and then, what nobody needs any more. Any number of workers may do so at once."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from services.chassis.errors import MeshError

Sweep = Callable[[], Awaitable[int]]
"""Does a part and tells how many it found; with none it is done."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def running(
    sweeps: Mapping[str, Sweep], *, seconds: float, chance: Callable[[], float] = random.random
) -> AsyncIterator[None]:
    """Sweep about every so many seconds for a block, each kind of thing until no more is found.

    What fails is tried again the next time.
    """
    sweeping = asyncio.create_task(_sweep(sweeps, seconds, chance))
    try:
        yield
    finally:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


async def _sweep(sweeps: Mapping[str, Sweep], seconds: float, chance: Callable[[], float]) -> None:
    while True:
        # Spread by chance, so that workers that began together do not all come together.
        await asyncio.sleep(seconds * (0.5 + chance()))
        for what, sweep in sweeps.items():
            await _sweep_all(what, sweep)


async def _sweep_all(what: str, sweep: Sweep) -> None:
    try:
        while await sweep():
            pass
    except MeshError as error:
        _log.warning("cannot sweep", extra={"what": what, "reason": error.code})
