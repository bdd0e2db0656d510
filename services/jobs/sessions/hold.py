"""Keeps hold of a session for as long as somebody works on it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from services.chassis.errors import Conflict, MeshError
from services.jobs.sessions.domain import Session
from services.jobs.sessions.ports import SessionStore

_log = logging.getLogger(__name__)

_BEATS_PER_LEASE: Final = 3


@asynccontextmanager
async def held(store: SessionStore, session: Session, lease: timedelta) -> AsyncIterator[None]:
    """Renew the lease of a session for a block, until somebody else holds it."""
    keeping = asyncio.create_task(_keep(store, session, lease))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait((keeping,))


async def _keep(store: SessionStore, session: Session, lease: timedelta) -> None:
    while True:
        await asyncio.sleep(lease.total_seconds() / _BEATS_PER_LEASE)
        try:
            await store.keep(session, lease=lease)
        except Conflict:
            return
        except MeshError as error:
            _log.warning("cannot keep a session", extra={"reason": error.code})
