"""A session as it is kept. It knows neither the wire nor who keeps it."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from services.chassis.errors import NotFound, Resource
from services.jobs.content import Findings, Transcript
from services.jobs.sessions.live import Opening, Progress

SessionKey = NewType("SessionKey", UUID)


class SessionState(StrEnum):
    """How far a session is."""

    OPEN = "open"
    """Takes audio, or waits for its client. In: opened. Out: all was said."""
    ANALYZING = "analyzing"
    """All was said. In: its client said so, or stayed away. Out: the analysis is made."""
    ENDED = "ended"
    """All is made that could be made. Out: it expires."""


@dataclass(frozen=True)
class NewSession:
    """A session as it is opened."""

    tenant: str
    session_id: str
    """What its client calls it."""
    token: str = field(repr=False)
    """What proves that a stream may take it up."""
    hearing_id: str
    """What the audio room calls it."""
    hearing_token: str = field(repr=False)
    opening: Opening
    """How it is heard."""


@dataclass(frozen=True)
class Hearing:
    """A session of the audio room that hears the rest of one of ours."""

    id: str
    token: str = field(repr=False)
    begin: int
    """Where it begins, in bytes from the start."""
    segments_before: int
    """Those that were heard before."""
    lost_seconds: float
    """The audio before it that nobody put into words, as far as is known."""


@dataclass(frozen=True)
class Session:
    """A session as it is kept."""

    key: SessionKey
    tenant: str
    session_id: str
    token: str = field(repr=False)
    hearing_id: str
    hearing_token: str = field(repr=False)
    state: SessionState
    holder: int
    """Counts those who held it, one after another. Fences what each of them writes."""
    attempts: int
    """How often somebody has set out to end it."""
    create_time: datetime
    end_time: datetime | None = None
    """When its analysis was made."""
    expire_time: datetime | None = None
    """When it is forgotten. None: not before it has ended."""
    transcript: Transcript | None = None
    """None: not all was said yet."""
    findings: Findings | None = None
    """None: it has not ended."""
    progress: Progress = field(default_factory=Progress)
    """How far its analysis is."""
    opening: Opening | None = None
    """How it is heard. None: nobody knows any more."""
    begin: int = 0
    """Where the audio room began to hear it, in bytes from its start: it may have lost what it
    heard before.
    """
    segments_before: int = 0
    """The segments that were heard before that."""
    lost_seconds: float = 0.0
    """The audio before it that nobody put into words."""


def hearing_key(token: str) -> str:
    """What all streams of a session to the audio room have in common, and no other session's."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def not_found(session_id: str) -> NotFound:
    """The error of a session that there is not, or not for this caller."""
    return NotFound(
        "there is no such session",
        remedy="open a new one: a session is kept for a while, and for its own tenant alone",
        resource=Resource("session", session_id),
    )
