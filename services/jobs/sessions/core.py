"""What the jobs room does with sessions of speech: lets their streams through to the audio room,
keeps what was heard, and tells what it comes to.

A session lives in its store, not here: any process may take it up, and whoever finds it left alone
for too long ends it (`closing`). It knows neither the contract nor a database.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

from opentelemetry import metrics

from services.chassis import call, names
from services.chassis.errors import Exhausted, Internal, MeshError, NotFound, TimedOut
from services.jobs.sessions.bounds import Bounds
from services.jobs.sessions.domain import (
    NewSession,
    Progress,
    Session,
    SessionState,
    hearing_key,
    not_found,
)
from services.jobs.sessions.hold import held
from services.jobs.sessions.live import (
    Analyzed,
    Chunk,
    End,
    Heard,
    Opening,
    Ready,
    Resumption,
    SegmentHeard,
    Told,
    Whole,
)
from services.jobs.sessions.ports import Listener, SessionStore

_log = logging.getLogger(__name__)

_RETRY_AFTER: Final = timedelta(seconds=15)
"""About as long as people speak in one go; then a place may be free."""
_KEPT_SHARE: Final = 0.75
"""Of the time for which the audio room keeps a session: the rest is for ending it there."""
_LOOK_SECONDS: Final = 1.0
_SIGN_SECONDS: Final = 10.0
"""After so long without anything new, who waits for an analysis is told how far it is once more."""
_LEAVE_SECONDS: Final = 5.0


class Sessions:
    """Opens sessions, takes them up again, and tells of them."""

    def __init__(self, store: SessionStore, listener: Listener, bounds: Bounds) -> None:
        self._store = store
        self._listener = listener
        self._bounds = bounds
        self._streams = 0
        self._open = metrics.get_meter(__name__).create_up_down_counter(
            names.SESSIONS_OPEN, unit="{session}", description="Sessions that have a stream"
        )

    async def get(self, session_id: str) -> Session:
        """Tell of the newest session of that id. Raises `NotFound`."""
        found = await self._store.find(call.current().tenant, session_id)
        if found is None:
            raise not_found(session_id)
        return found

    async def analyze(
        self, asked: Opening | Resumption, messages: AsyncIterator[Chunk | End]
    ) -> AsyncGenerator[Told, None]:
        """Serve one stream, from `Ready` to `Analyzed`. Raises `Exhausted` when there is no place,
        `NotFound` when there is no such session, and what the audio room raises.
        """
        with self._place():
            if isinstance(asked, Opening):
                stream = self._opened(asked, messages)
            else:
                stream = self._taken_up(asked, messages)
            async with aclosing(stream) as told:
                async for each in told:
                    yield each

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._streams >= self._bounds.streams:
            raise Exhausted(
                "too many sessions are open",
                remedy="try again later, or send a recording as a job of type session_report_v1",
                code="TOO_MANY_SESSIONS",
                retry_after=_RETRY_AFTER,
            )
        self._streams += 1
        self._open.add(1)
        try:
            yield
        finally:
            self._streams -= 1
            self._open.add(-1)

    async def _opened(
        self, asked: Opening, messages: AsyncIterator[Chunk | End]
    ) -> AsyncGenerator[Told, None]:
        token = secrets.token_urlsafe(24)
        wanted = replace(asked, hearing_key=hearing_key(token))
        async with aclosing(self._listener.listen(wanted, messages)) as heard:
            ready = await _ready(heard)
            session_id = asked.session_id or secrets.token_urlsafe(12)
            tenant = call.current().tenant
            new = NewSession(tenant, session_id, token, ready.session_id, ready.token)
            session = await self._store.open(new, lease=self._bounds.lease)
            async with aclosing(self._followed(session, ready, heard)) as told:
                async for each in told:
                    yield each

    async def _taken_up(
        self, asked: Resumption, messages: AsyncIterator[Chunk | End]
    ) -> AsyncGenerator[Told, None]:
        session = await self._store.take_up(
            call.current().tenant, asked.session_id, asked.token, lease=self._bounds.lease
        )
        if session.state is not SessionState.OPEN:
            async with aclosing(self._told_again(session, asked)) as told:
                async for each in told:
                    yield each
            return
        again = Resumption(
            session.hearing_id,
            session.hearing_token,
            asked.acknowledged,
            asked.segments,
            words=asked.words,
            hearing_key=hearing_key(session.token),
        )
        async with aclosing(self._listener.listen(again, messages)) as heard:
            try:
                ready = await _ready(heard)
            except BaseException as failed:
                # What the audio room does not have any more nobody can take up.
                wait = timedelta() if isinstance(failed, NotFound) else self._bounds.kept
                await self._leave(session, wait)
                raise
            async with aclosing(self._followed(session, ready, heard)) as told:
                async for each in told:
                    yield each

    async def _followed(
        self, session: Session, ready: Ready, heard: AsyncIterator[Heard]
    ) -> AsyncGenerator[Told, None]:
        kept_for = min(self._bounds.kept, ready.kept_for * _KEPT_SHARE)
        whole: Whole | None = None
        async with self._hold(session, kept_for):
            yield Ready(session.session_id, session.token, ready.offset, kept_for)
            async for each in heard:
                if isinstance(each, Whole):
                    whole = each
                    await self._store.hear_out(session, whole.transcript)
                    break
                yield each
        if whole is None:
            raise Internal("the audio room stopped before its last answer", remedy="take it up")
        yield whole
        async for news in self._ended(session):
            yield news

    @asynccontextmanager
    async def _hold(self, session: Session, kept_for: timedelta) -> AsyncIterator[None]:
        """Hold a session for a stream; after it, it is to be ended at once if it was heard out."""
        wait = kept_for
        try:
            async with held(self._store, session, self._bounds.lease):
                yield
            wait = timedelta()
        finally:
            await self._leave(session, wait)

    async def _told_again(self, session: Session, asked: Resumption) -> AsyncGenerator[Told, None]:
        kept_for = self._bounds.kept
        yield Ready(session.session_id, session.token, asked.acknowledged, kept_for)
        if session.transcript is not None:
            for segment in session.transcript.segments[asked.segments :]:
                yield SegmentHeard(segment)
            yield Whole(session.transcript)
        async for news in self._ended(session):
            yield news

    async def _ended(self, session: Session) -> AsyncIterator[Progress | Analyzed]:
        clock, told, told_at = asyncio.get_running_loop().time, None, 0.0
        until = clock() + (2 * self._bounds.analysis + self._bounds.lease).total_seconds()
        with self._store.changes() as bell:
            while clock() < until:
                now = await self._store.take_up(
                    session.tenant, session.session_id, session.token, lease=self._bounds.lease
                )
                if now.findings is not None and now.transcript is not None:
                    yield Analyzed(now.transcript, now.findings)
                    return
                if now.progress != told or clock() - told_at >= _SIGN_SECONDS:
                    told, told_at = now.progress, clock()
                    yield told
                await bell.wait(_LOOK_SECONDS)
        raise TimedOut(
            "the analysis has to wait for too long", remedy="ask GetSession for it later"
        )

    async def _leave(self, session: Session, wait: timedelta) -> None:
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._store.leave(session, wait=wait)
        except (MeshError, TimeoutError) as error:
            # Somebody else holds it, or its lease will run out.
            _log.info("a session is left to its lease", extra={"reason": type(error).__name__})


async def _ready(heard: AsyncIterator[Heard]) -> Ready:
    first = await anext(heard, None)
    if not isinstance(first, Ready):
        raise Internal("the audio room did not say that it is ready", remedy="open a new session")
    return first
