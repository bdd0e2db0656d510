"""What sessions need of the world: somebody who keeps them, and somebody who hears."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol

from services.jobs.bells import Bell
from services.jobs.content import Findings, Segment, Transcript
from services.jobs.sessions.domain import Hearing, NewSession, Session
from services.jobs.sessions.live import Chunk, End, Heard, Opening, Progress, Resumption


class SessionStore(Protocol):
    """Keeps sessions. Who holds one writes it, until somebody else holds it or the lease runs out.

    Writes raise `Conflict`, and change nothing, once somebody else may hold the session. Everything
    raises `Unavailable` when the store cannot answer.
    """

    async def open(self, new: NewSession, *, lease: timedelta) -> Session:
        """Keep a new session, held for its first stream."""
        ...

    async def take_up(
        self, tenant: str, session_id: str, token: str, *, lease: timedelta
    ) -> Session:
        """Return the session that bears the token, and hold it if it is open. Raises `NotFound`."""
        ...

    async def find(self, tenant: str, session_id: str) -> Session | None:
        """Return the newest session of that id."""
        ...

    async def keep(self, session: Session, *, lease: timedelta) -> None:
        """Hold a session for longer."""
        ...

    async def leave(self, session: Session, *, wait: timedelta) -> None:
        """Hold a session no more. After the wait somebody is to end it."""
        ...

    async def hear(self, session: Session, number: int, segment: Segment) -> None:
        """Write a segment down, the first of which is 0, in place of any that is there."""
        ...

    async def heard(self, session: Session) -> Sequence[Segment]:
        """Return the segments that were written down, in order."""
        ...

    async def hear_anew(self, session: Session, hearing: Hearing) -> Session:
        """Write that the audio room hears the rest in another session; it is still held."""
        ...

    async def hear_out(self, session: Session, transcript: Transcript) -> Session:
        """Write that all was said; the session is still held."""
        ...

    async def note(self, session: Session, progress: Progress) -> None:
        """Write how far the analysis is."""
        ...

    async def claim(self, *, limit: int, lease: timedelta) -> Sequence[Session]:
        """Take up sessions that are to be ended, at most `limit`, those first that wait longest."""
        ...

    async def end(self, session: Session, findings: Findings, *, keep: timedelta) -> None:
        """Write what a session came to, and keep it for so long."""
        ...

    async def forget(self, limit: int) -> int:
        """Remove sessions that have expired, at most `limit`, and tell how many there were."""
        ...

    def changes(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when a session was left, is further or has ended."""
        ...


class Listener(Protocol):
    """Hears while somebody speaks."""

    def listen(
        self, asked: Opening | Resumption, messages: AsyncIterator[Chunk | End]
    ) -> AsyncGenerator[Heard, None]:
        """Hear one stream, from `Ready` to `Whole`. Closing it lets the stream go, which may be
        taken up again by its id and token. Raises what the audio room raises.
        """
        ...
