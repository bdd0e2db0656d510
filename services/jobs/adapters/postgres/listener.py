"""Rings the bells of this process when another one changes a job. It has a connection of its own;
while that is down nothing rings, and waiters fall back on looking now and then.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import psycopg

from services.jobs.adapters.postgres.changes import CHANNEL, EVERYTHING
from services.jobs.bells import Bells

_log = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 1.0
_OPEN_SECONDS: Final = 1.0
"""So long an opening is waited for that nobody wants any more."""


class Listener:
    """Listens until cancelled, over as many connections as it takes."""

    def __init__(self, url: str, connecting: Mapping[str, Any], bells: Bells) -> None:
        self._url = url
        self._connecting = connecting
        self._bells = bells

    async def run(self) -> None:
        """Listen; each time the connection is lost, open another."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as failed:
                _log.warning("not listening for changes", extra={"error": type(failed).__name__})
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        async with await self._connected() as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            # What was said before now is missed.
            self._bells.ring_all()
            async for notice in connection.notifies():
                for topic in notice.payload.split():
                    if topic == EVERYTHING:
                        self._bells.ring_all()
                    self._bells.ring(topic)

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        connecting = psycopg.AsyncConnection.connect(self._url, autocommit=True, **self._connecting)
        opening = asyncio.ensure_future(connecting)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # One that is cut off at the end of its opening would stay open.
            await asyncio.wait((opening,), timeout=_OPEN_SECONDS)
            if not opening.cancel():
                with suppress(psycopg.Error):
                    await opening.result().close()
            raise
