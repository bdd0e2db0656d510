"""Rings the bells of this process when another one changes a job. It has a connection of its own;
while that is down nothing rings, and waiters fall back on looking now and then.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from services.jobs.adapters.postgres.changes import CHANNEL, EVERYTHING
from services.jobs.bells import Bells

_log = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 1.0


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
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, **self._connecting
        )
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            # What was said before now is missed.
            self._bells.ring_all()
            async for notice in connection.notifies():
                for topic in notice.payload.split():
                    if topic == EVERYTHING:
                        self._bells.ring_all()
                    self._bells.ring(topic)
