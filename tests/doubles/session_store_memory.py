"""A `SessionStore` in this process, whose clock tests may move."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from services.chassis.errors import Conflict
from services.jobs.bells import Bells
from services.jobs.sessions.domain import Session, SessionKey, SessionState, not_found


class MemorySessionStore:
    def __init__(self):
        self.passed = timedelta()
        self._kept = {}
        self._due = {}
        self._segments = {}
        self._bells = Bells()

    def now(self):
        return datetime.now(UTC) + self.passed

    async def open(self, new, *, lease):
        session = Session(
            key=SessionKey(uuid4()),
            tenant=new.tenant,
            session_id=new.session_id,
            token=new.token,
            hearing_id=new.hearing_id,
            hearing_token=new.hearing_token,
            state=SessionState.OPEN,
            holder=1,
            attempts=0,
            create_time=self.now(),
            opening=new.opening,
        )
        return self._write(session, lease)

    async def take_up(self, tenant, session_id, token, *, lease):
        for it in self._kept.values():
            if (it.tenant, it.session_id, it.token) == (tenant, session_id, token):
                if it.state is not SessionState.OPEN:
                    return it
                return self._write(replace(it, holder=it.holder + 1), lease)
        raise not_found(session_id)

    async def find(self, tenant, session_id):
        found = [
            it
            for it in self._kept.values()
            if (it.tenant, it.session_id) == (tenant, session_id)
            and (it.expire_time is None or it.expire_time > self.now())
        ]
        return max(found, key=lambda it: it.create_time, default=None)

    async def keep(self, session, *, lease):
        self._write(self._held(session), lease)

    async def leave(self, session, *, wait):
        held = self._held(session)
        self._write(replace(held, holder=held.holder + 1), wait)
        self._bells.ring("changes")

    async def hear(self, session, number, segment):
        self._segments.setdefault(self._held(session).key, {})[number] = segment

    async def heard(self, session):
        return [it for _, it in sorted(self._segments.get(session.key, {}).items())]

    async def hear_anew(self, session, hearing):
        held = self._held(session)
        self._kept[session.key] = replace(
            held,
            hearing_id=hearing.id,
            hearing_token=hearing.token,
            begin=hearing.begin,
            segments_before=hearing.segments_before,
            lost_seconds=held.lost_seconds + hearing.lost_seconds,
        )
        return self._kept[session.key]

    async def hear_out(self, session, transcript):
        heard = replace(self._held(session), state=SessionState.ANALYZING, transcript=transcript)
        self._kept[session.key] = heard
        return heard

    async def note(self, session, progress):
        self._kept[session.key] = replace(self._held(session), progress=progress)
        self._bells.ring("changes")

    async def claim(self, *, limit, lease):
        due = sorted((at, key.int, key) for key, at in self._due.items() if at <= self.now())
        return [
            self._write(
                replace(it, holder=it.holder + 1, attempts=it.attempts + 1),
                lease,
            )
            for _, _, key in due[:limit]
            for it in (self._kept[key],)
        ]

    async def end(self, session, findings, *, keep):
        now = self.now()
        self._kept[session.key] = replace(
            self._held(session),
            state=SessionState.ENDED,
            findings=findings,
            end_time=now,
            expire_time=now + keep,
        )
        del self._due[session.key]
        self._bells.ring("changes")

    async def forget(self, limit):
        gone = [
            it.key
            for it in self._kept.values()
            if it.expire_time is not None and it.expire_time <= self.now()
        ][:limit]
        for key in gone:
            del self._kept[key]
        return len(gone)

    @contextmanager
    def changes(self):
        with self._bells.hung("changes") as bell:
            yield bell

    def _held(self, session):
        kept = self._kept.get(session.key)
        if kept is None or kept.holder != session.holder:
            raise Conflict("the session is held by somebody else", code="LEASE_LOST")
        return kept

    def _write(self, session, wait):
        self._kept[session.key] = session
        self._due[session.key] = self.now() + wait
        return session
