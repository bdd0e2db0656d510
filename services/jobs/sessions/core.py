"""What the jobs room does with sessions of speech: lets their streams through to the audio room,
keeps what was heard, and tells what it comes to.

A session lives in its store, not here: any process may take it up, and whoever finds it left alone
for too long ends it (`closing`). It knows neither the contract nor a database. It is long because
one session is opened, taken up and heard anew in one state, which has to be read as a whole.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

from opentelemetry import metrics

from services.chassis import call, names
from services.chassis.errors import Exhausted, Internal, MeshError, NotFound
from services.jobs.sessions import rehearing, waiting
from services.jobs.sessions.bounds import Bounds
from services.jobs.sessions.domain import (
    NewSession,
    Session,
    SessionState,
    hearing_key,
    not_found,
)
from services.jobs.sessions.hold import held
from services.jobs.sessions.live import (
    Acknowledged,
    Chunk,
    End,
    Heard,
    Opening,
    Partial,
    Ready,
    Resumption,
    SegmentHeard,
    Told,
    Whole,
)
from services.jobs.sessions.ports import Listener, SessionStore
from services.jobs.sessions.tape import Tape, Tapes

_log = logging.getLogger(__name__)

_RETRY_AFTER: Final = timedelta(seconds=15)
"""About as long as people speak in one go; then a place may be free."""
_KEPT_SHARE: Final = 0.75
"""Of the time for which the audio room keeps a session: the rest is for ending it there."""
_LEAVE_SECONDS: Final = 5.0


class Sessions:
    """Opens sessions, takes them up again, and tells of them."""

    def __init__(self, store: SessionStore, listener: Listener, bounds: Bounds) -> None:
        self._store = store
        self._listener = listener
        self._bounds = bounds
        self._tapes = Tapes(bounds.streams)
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
        wanted = replace(asked, words=True, hearing_key=hearing_key(token))
        tape = Tape()
        async with aclosing(self._listener.listen(wanted, tape.passing(messages))) as heard:
            ready = await _ready(heard)
            session_id = asked.session_id or secrets.token_urlsafe(12)
            tenant = call.current().tenant
            new = NewSession(tenant, session_id, token, ready.session_id, ready.token, asked)
            session = await self._store.open(new, lease=self._bounds.lease)
            self._tapes.put(session.key, tape)
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
        async with AsyncExitStack() as stack:
            try:
                session, ready, heard = await self._heard_on(session, asked, messages, stack)
            except BaseException as failed:
                # What the audio room does not have any more, and cannot hear on, nobody can.
                wait = timedelta() if isinstance(failed, NotFound) else self._bounds.kept
                await self._leave(session, wait)
                raise
            async with aclosing(self._followed(session, ready, heard, asked)) as told:
                async for each in told:
                    yield each

    async def _heard_on(
        self,
        session: Session,
        asked: Resumption,
        messages: AsyncIterator[Chunk | End],
        stack: AsyncExitStack,
    ) -> tuple[Session, Ready, AsyncIterator[Heard]]:
        """Go on where the audio room is; in a new session there, if it has lost the old one."""
        tape = self._tapes.of(session.key)
        self._tapes.put(session.key, tape)
        passing = tape.passing(messages)

        async def listen(
            asked: Opening | Resumption, begin: int, spare: bytes = b""
        ) -> AsyncIterator[Heard]:
            sent = rehearing.after(passing, begin, spare)
            return await stack.enter_async_context(aclosing(self._listener.listen(asked, sent)))

        heard = await listen(rehearing.resumption(session, asked), session.begin)
        try:
            return session, await _ready(heard), heard
        except NotFound:
            opening = rehearing.opening(session)
            if opening is None:
                raise
        known = await self._store.heard(session)
        begin = rehearing.begin(opening, asked.acknowledged, known, tape)
        heard = await listen(opening, begin, tape.between(begin, asked.acknowledged))
        ready = await _ready(heard)
        hearing = rehearing.hearing(session, opening, begin, known, ready)
        _log.warning("a session is heard anew", extra={"lost_seconds": hearing.lost_seconds})
        return await self._store.hear_anew(session, hearing), ready, heard

    async def _followed(
        self,
        session: Session,
        ready: Ready,
        heard: AsyncIterator[Heard],
        asked: Resumption | None = None,
    ) -> AsyncGenerator[Told, None]:
        known, acknowledged = (asked.segments, asked.acknowledged) if asked else (0, 0)
        kept_for = min(self._bounds.kept, ready.kept_for * _KEPT_SHARE)
        before = (await self._store.heard(session))[: session.segments_before]
        number = max(known, len(before))
        whole: Whole | None = None
        async with self._hold(session, kept_for):
            offset = max(ready.offset + session.begin, acknowledged)
            tape = self._tapes.of(session.key)
            tape.expected = offset
            yield Ready(session.session_id, session.token, offset, kept_for)
            for segment in before[known:]:
                yield SegmentHeard(segment)
            asked_for, partial = session.opening or Opening(), Partial("", "")
            try:
                async for told in heard:
                    match each := rehearing.placed(told, session):
                        case Whole():
                            whole = Whole(rehearing.together(before, each.transcript))
                            self._tapes.drop(session.key)
                            await self._store.hear_out(session, whole.transcript)
                            break
                        case Acknowledged() if each.offset <= acknowledged:
                            continue
                        case SegmentHeard():
                            # Before it is told, so that it is not lost with the audio room.
                            await self._store.hear(session, number, each.segment)
                            number, partial = number + 1, Partial("", "")
                            tape.forget(rehearing.size(asked_for, each.segment.end_seconds))
                        case Partial():
                            partial = each
                    yield each
            finally:
                if whole is None and partial.words:
                    await self._keep_words(session, number, partial)
        if whole is None:
            raise Internal("the audio room stopped before its last answer", remedy="take it up")
        yield whole
        async for news in waiting.for_analysis(self._store, session, self._bounds):
            yield news

    async def _keep_words(self, session: Session, number: int, partial: Partial) -> None:
        """Write down words that were told as certain: as a segment, until there is one."""
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._store.hear(session, number, rehearing.segment_of(partial))
        except (MeshError, TimeoutError) as error:
            _log.info("the last words are not kept", extra={"reason": type(error).__name__})

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
        async for news in waiting.for_analysis(self._store, session, self._bounds):
            yield news

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
