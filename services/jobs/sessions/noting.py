"""Writes down how far an analysis is: often enough for who waits, seldom enough for the store. It
knows neither what is asked nor who waits.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from services.chassis.errors import Conflict, MeshError
from services.jobs.sessions.domain import Session
from services.jobs.sessions.live import Progress
from services.jobs.sessions.ports import SessionStore

_log = logging.getLogger(__name__)

Tell = Callable[[Progress], None]
"""Takes how far it is. It never waits."""

_PAUSE_SECONDS: Final = 1.0


@asynccontextmanager
async def noted(store: SessionStore, session: Session) -> AsyncIterator[Tell]:
    """Write the newest of what is told in a block, about once a second."""
    newest, came = Progress(), asyncio.Event()

    def tell(progress: Progress) -> None:
        nonlocal newest
        newest = progress
        came.set()

    async def write() -> None:
        while True:
            await came.wait()
            came.clear()
            try:
                await store.note(session, newest)
            except Conflict:
                return
            except MeshError as error:
                _log.warning("cannot note an analysis", extra={"reason": error.code})
            await asyncio.sleep(_PAUSE_SECONDS)

    writing = asyncio.create_task(write())
    try:
        yield tell
    finally:
        writing.cancel()
        await asyncio.wait((writing,))
