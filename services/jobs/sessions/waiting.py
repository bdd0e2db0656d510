"""Waits for what a session comes to, which somebody finds, here or elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from services.chassis.errors import TimedOut
from services.jobs.sessions.bounds import Bounds
from services.jobs.sessions.domain import Session
from services.jobs.sessions.live import Analyzed, Progress
from services.jobs.sessions.ports import SessionStore

_LOOK_SECONDS: Final = 1.0
_SIGN_SECONDS: Final = 10.0
"""After so long without anything new, who waits is told how far it is once more."""


async def for_analysis(
    store: SessionStore, session: Session, bounds: Bounds
) -> AsyncIterator[Progress | Analyzed]:
    """Tell how far the analysis of a session is, and last what it found. Raises `TimedOut`."""
    clock, told, told_at = asyncio.get_running_loop().time, None, 0.0
    until = clock() + (2 * bounds.analysis + bounds.lease).total_seconds()
    with store.changes() as bell:
        while clock() < until:
            now = await store.take_up(
                session.tenant, session.session_id, session.token, lease=bounds.lease
            )
            if now.findings is not None and now.transcript is not None:
                yield Analyzed(now.transcript, now.findings)
                return
            if now.progress != told or clock() - told_at >= _SIGN_SECONDS:
                told, told_at = now.progress, clock()
                yield told
            await bell.wait(_LOOK_SECONDS)
    raise TimedOut("the analysis has to wait for too long", remedy="ask GetSession for it later")
