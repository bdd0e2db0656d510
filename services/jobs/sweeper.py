"""Removes media that has expired and that no job holds. Any number of workers may do so at once."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from services.chassis.errors import MeshError
from services.jobs.media import MediaKeeper

_log = logging.getLogger(__name__)


@asynccontextmanager
async def running(
    media: MediaKeeper, *, seconds: float, chance: Callable[[], float] = random.random
) -> AsyncIterator[None]:
    """Sweep about every so many seconds for a block. What fails is tried again the next time."""
    sweeping = asyncio.create_task(_sweep(media, seconds, chance))
    try:
        yield
    finally:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


async def _sweep(media: MediaKeeper, seconds: float, chance: Callable[[], float]) -> None:
    while True:
        # Spread by chance, so that workers that began together do not all come together.
        await asyncio.sleep(seconds * (0.5 + chance()))
        try:
            while await media.sweep():
                pass
        except MeshError as error:
            _log.warning("cannot sweep media", extra={"reason": error.code})
