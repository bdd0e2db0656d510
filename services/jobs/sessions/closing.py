"""Ends sessions: of those that were heard out, and of those whose client stays away. Any number of
processes may do so. What each comes to is somebody else's to find.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

from opentelemetry import metrics

from services.chassis import call, names
from services.chassis.errors import Conflict, MeshError
from services.jobs.bells import Bell
from services.jobs.content import Findings, MissingPart, Transcript
from services.jobs.sessions import rehearing
from services.jobs.sessions.bounds import Bounds
from services.jobs.sessions.domain import Session
from services.jobs.sessions.hold import held
from services.jobs.sessions.live import Chunk, End, Resumption, Whole
from services.jobs.sessions.noting import Tell, noted
from services.jobs.sessions.ports import Listener, SessionStore

_log = logging.getLogger(__name__)

Analyst = Callable[[Transcript, Tell], Awaitable[Findings]]
"""Finds what a transcript comes to, and tells how far it is. What it cannot find it names as
missing; it raises nothing.
"""

_LOOK_SECONDS: Final = 1.0
_AGAIN: Final = timedelta(seconds=5)
_MOST_ATTEMPTS: Final = 5
"""So often is a session set out to be ended: one that breaks whoever tries is given up."""
_HEARING_SECONDS: Final = 120.0
"""What the audio room may still take for the end of what it has."""
_LEAVE_SECONDS: Final = 5.0
_PARTS: Final = ("summary", "decisions", "open_questions", "action_items", "risks")
_NOTHING: Final = Transcript("", (), "", 0.0)


class Closer:
    """Ends sessions until its block ends. May be run once."""

    def __init__(
        self, store: SessionStore, listener: Listener, analyst: Analyst, bounds: Bounds
    ) -> None:
        self._store = store
        self._listener = listener
        self._analyst = analyst
        self._bounds = bounds
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends = metrics.get_meter(__name__).create_counter(
            names.SESSIONS_ENDED,
            unit="{session}",
            description="Sessions that ended, by whether anything is missing",
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """End sessions for a block; those under way at its end are left to others."""
        with self._store.changes() as bell:
            claiming = asyncio.create_task(self._claim(bell))
            try:
                yield
            finally:
                tasks = (claiming, *self._tasks)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

    async def _claim(self, bell: Bell) -> None:
        while True:
            free = self._bounds.analyses - len(self._tasks)
            try:
                claimed = await self._store.claim(limit=free, lease=self._bounds.lease)
            except MeshError as error:
                _log.warning("cannot claim sessions", extra={"reason": error.code})
                claimed = ()
            for session in claimed:
                task = asyncio.create_task(self._close(session, bell))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await bell.wait(_LOOK_SECONDS)

    async def _close(self, session: Session, bell: Bell) -> None:
        try:
            with call.use(call.Call(tenant=session.tenant)):
                async with held(self._store, session, self._bounds.lease):
                    await self._end(session)
            return
        except Conflict:
            return  # Its client came back, or somebody else ends it.
        except MeshError as error:
            _log.warning("a session cannot be ended yet", extra={"reason": error.code})
            await self._leave(session, _AGAIN)
        except asyncio.CancelledError:
            await self._leave(session, timedelta())
            raise
        except Exception:
            _log.exception("a session could not be ended")
            await self._leave(session, _AGAIN)
        finally:
            # A place is free.
            bell.ring()

    async def _end(self, session: Session) -> None:
        missing: tuple[MissingPart, ...] = ()
        transcript = session.transcript
        if transcript is None:
            transcript, missing = await self._heard(session)
            session = await self._store.hear_out(session, transcript)
        if session.lost_seconds:
            lost = f"the audio room lost {session.lost_seconds:.0f} seconds of it"
            missing = (MissingPart("transcript", lost), *missing)
        if session.attempts > _MOST_ATTEMPTS:
            findings = Findings(missing=_all_missing("the analysis failed too often"))
        else:
            async with noted(self._store, session) as tell:
                findings = await self._analyst(transcript, tell)
        findings = replace(findings, missing=(*missing, *findings.missing))
        await self._store.end(session, findings, keep=self._bounds.retention)
        self._ends.add(1, {"outcome": "partial" if findings.missing else "whole"})

    async def _heard(self, session: Session) -> tuple[Transcript, tuple[MissingPart, ...]]:
        """The end of what the audio room has of a session whose client stays away."""
        kept = await self._store.heard(session)
        before = kept[: session.segments_before]
        asked = rehearing.resumption(session, Resumption("", ""))
        try:
            async with (
                asyncio.timeout(_HEARING_SECONDS),
                aclosing(self._listener.listen(asked, _just_end())) as heard,
            ):
                async for each in heard:
                    if isinstance(whole := rehearing.placed(each, session), Whole):
                        return rehearing.together(before, whole.transcript), ()
                reason = "the audio room stopped before its last answer"
        except MeshError as error:
            if error.passes and session.attempts < _MOST_ATTEMPTS:
                raise
            reason = error.message
        except TimeoutError:
            reason = "the audio room took too long"
        if kept:
            told = f"{reason}: it ends at {kept[-1].end_seconds:.0f} seconds"
            return rehearing.together(kept, _NOTHING), (MissingPart("transcript", told),)
        return _NOTHING, (MissingPart("transcript", reason), *_all_missing("nothing was heard"))

    async def _leave(self, session: Session, wait: timedelta) -> None:
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._store.leave(session, wait=wait)
        except (MeshError, TimeoutError) as error:
            _log.info("a session is left to its lease", extra={"reason": type(error).__name__})


def _all_missing(reason: str) -> tuple[MissingPart, ...]:
    return tuple(MissingPart(part, reason) for part in _PARTS)


async def _just_end() -> AsyncIterator[Chunk | End]:
    yield End()
