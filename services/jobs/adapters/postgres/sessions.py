"""The rows of sessions: held, left, ended and forgotten."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import JSON, Row, Update, delete, func, insert, literal, null, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_update

from services.chassis.errors import Conflict
from services.jobs import record
from services.jobs.adapters.postgres.database import Database
from services.jobs.adapters.postgres.tables import session_segments, sessions
from services.jobs.bells import Bell
from services.jobs.content import Findings, Segment, Transcript
from services.jobs.sessions.domain import (
    Hearing,
    NewSession,
    Session,
    SessionKey,
    SessionState,
    not_found,
)
from services.jobs.sessions.live import Opening, Progress

_NOW: Final = func.now()
_CHANGES: Final = "sessions"
"""The topic of the bells that ring, in this process, for what it changed itself."""


class PostgresSessionStore:
    """Keeps sessions in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, new: NewSession, *, lease: timedelta) -> Session:
        """Keep a new session."""
        opened = (
            insert(sessions)
            .values(
                key=uuid4(),
                tenant=new.tenant,
                session_id=new.session_id,
                token=new.token,
                hearing_id=new.hearing_id,
                hearing_token=new.hearing_token,
                opening=record.dump(new.opening),
                create_time=_NOW,
                due_time=_NOW + lease,
            )
            .returning(*sessions.c)
        )
        [row] = await self._database.rows(opened)
        return _session(row)

    async def take_up(
        self, tenant: str, session_id: str, token: str, *, lease: timedelta
    ) -> Session:
        """Return the session that bears the token, and hold it if it is open."""
        named = (
            sessions.c.tenant == tenant,
            sessions.c.session_id == session_id,
            sessions.c.token == token,
        )
        held = (
            update(sessions)
            .values(holder=sessions.c.holder + 1, due_time=_NOW + lease)
            .where(*named, sessions.c.state == SessionState.OPEN)
            .returning(*sessions.c)
        )
        for row in await self._database.rows(held):
            return _session(row)
        for row in await self._database.rows(select(sessions).where(*named)):
            return _session(row)
        raise not_found(session_id)

    async def find(self, tenant: str, session_id: str) -> Session | None:
        """Return the newest session of that id."""
        newest = (
            select(sessions)
            .where(sessions.c.tenant == tenant, sessions.c.session_id == session_id)
            .where(func.coalesce(sessions.c.expire_time > _NOW, literal(True)))
            .order_by(sessions.c.create_time.desc())
            .limit(1)
        )
        return next(map(_session, await self._database.rows(newest)), None)

    async def keep(self, session: Session, *, lease: timedelta) -> None:
        """Hold a session for longer."""
        await self._change(session, _held(session).values(due_time=_NOW + lease))

    async def leave(self, session: Session, *, wait: timedelta) -> None:
        """Hold a session no more."""
        left = _held(session).values(due_time=_NOW + wait, holder=sessions.c.holder + 1)
        await self._change(session, left)
        self._database.bells.ring(_CHANGES)

    async def hear(self, session: Session, number: int, segment: Segment) -> None:
        """Write a segment down."""
        held = (
            select(sessions.c.key)
            .where(sessions.c.key == session.key, sessions.c.holder == session.holder)
            .cte("held")
        )
        values = (held.c.key, literal(number), literal(record.dump(segment), JSON))
        writing = insert_or_update(session_segments).from_select(
            ["key", "number", "segment"], select(*values)
        )
        written = writing.on_conflict_do_update(
            index_elements=[session_segments.c.key, session_segments.c.number],
            set_={"segment": writing.excluded.segment},
        ).cte("written")
        if not await self._database.rows(select(held.c.key).add_cte(written)):
            raise _lost()

    async def heard(self, session: Session) -> Sequence[Segment]:
        """Return the segments that were written down."""
        rows = (
            select(session_segments.c.segment)
            .where(session_segments.c.key == session.key)
            .order_by(session_segments.c.number)
        )
        return [record.load(Segment, row.segment) for row in await self._database.rows(rows)]

    async def hear_anew(self, session: Session, hearing: Hearing) -> Session:
        """Write that the audio room hears the rest in another session."""
        anew = _held(session).values(
            hearing_id=hearing.id,
            hearing_token=hearing.token,
            hearing_begin=hearing.begin,
            segments_before=hearing.segments_before,
            lost_seconds=sessions.c.lost_seconds + hearing.lost_seconds,
        )
        return _session(await self._change(session, anew))

    async def hear_out(self, session: Session, transcript: Transcript) -> Session:
        """Write that all was said."""
        heard = _held(session).values(
            state=SessionState.ANALYZING, transcript=record.dump(transcript)
        )
        return _session(await self._change(session, heard))

    async def note(self, session: Session, progress: Progress) -> None:
        """Write how far the analysis is."""
        noted = _held(session).values(asked=progress.asked, answered=progress.answered)
        await self._change(session, noted)
        self._database.bells.ring(_CHANGES)

    async def claim(self, *, limit: int, lease: timedelta) -> Sequence[Session]:
        """Take up sessions that are to be ended."""
        due = (
            select(sessions.c.key)
            .where(sessions.c.due_time <= _NOW)
            .order_by(sessions.c.due_time)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        claimed = (
            update(sessions)
            .values(
                holder=sessions.c.holder + 1,
                attempts=sessions.c.attempts + 1,
                due_time=_NOW + lease,
            )
            .where(sessions.c.key == due.c.key)
            .returning(*sessions.c)
        )
        return [_session(row) for row in await self._database.rows(claimed)]

    async def end(self, session: Session, findings: Findings, *, keep: timedelta) -> None:
        """Write what a session came to."""
        ended = _held(session).values(
            state=SessionState.ENDED,
            findings=record.dump(findings),
            due_time=null(),
            end_time=_NOW,
            expire_time=_NOW + keep,
        )
        await self._change(session, ended)
        self._database.bells.ring(_CHANGES)

    async def forget(self, limit: int) -> int:
        """Remove sessions that have expired."""
        due = (
            select(sessions.c.key)
            .where(sessions.c.expire_time <= _NOW)
            .order_by(sessions.c.expire_time)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        gone = delete(sessions).where(sessions.c.key == due.c.key).returning(sessions.c.key)
        return len(await self._database.rows(gone))

    def changes(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when this process left, ended or furthered a session."""
        return self._database.bells.hung(_CHANGES)

    async def _change(self, session: Session, change: Update) -> Row[Any]:
        for row in await self._database.rows(change.returning(*sessions.c)):
            return row
        raise _lost()


def _lost() -> Conflict:
    return Conflict("the session is held by somebody else", code="LEASE_LOST")


def _held(session: Session) -> Update:
    return update(sessions).where(
        sessions.c.key == session.key, sessions.c.holder == session.holder
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        key=SessionKey(row.key),
        tenant=row.tenant,
        session_id=row.session_id,
        token=row.token,
        hearing_id=row.hearing_id,
        hearing_token=row.hearing_token,
        state=SessionState(row.state),
        holder=row.holder,
        attempts=row.attempts,
        create_time=row.create_time,
        end_time=row.end_time,
        expire_time=row.expire_time,
        transcript=row.transcript and record.load(Transcript, row.transcript),
        findings=row.findings and record.load(Findings, row.findings),
        progress=Progress(row.asked, row.answered),
        opening=row.opening and record.load(Opening, row.opening),
        begin=row.hearing_begin,
        segments_before=row.segments_before,
        lost_seconds=row.lost_seconds,
    )
