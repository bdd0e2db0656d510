"""What passes between a session and its client's streams, and between it and the audio room."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from services.jobs.content import Findings, Segment, Transcript, Word


class Encoding(StrEnum):
    """What the bytes of a stream of audio are."""

    PCM16 = "pcm16"
    """Signed 16-bit little-endian mono."""
    FLOAT32 = "float32"
    """32-bit little-endian floating point mono."""
    MULAW = "mulaw"
    """8-bit mu-law, mono."""
    OGG_OPUS = "ogg_opus"
    """Opus in Ogg."""
    WEBM_OPUS = "webm_opus"
    """Opus in WebM."""
    CONTAINER = "container"
    """Any container that can be read from its beginning on."""


@dataclass(frozen=True)
class Opening:
    """A new session is wanted."""

    session_id: str = ""
    """The client's choice. Empty: ours."""
    encoding: Encoding = Encoding.PCM16
    sample_rate_hz: int = 0
    """Zero: the encoding's usual one."""
    language: str = ""
    """As an ISO 639-1 code. Empty: found out."""
    hints: tuple[str, ...] = field(default=(), repr=False)
    """Names and terms that may be said."""
    words: bool = False
    """Whether words are told one by one."""
    hearing_key: str = ""
    """By which all its streams to the audio room find the same replica."""


@dataclass(frozen=True)
class Resumption:
    """A session is to be taken up again."""

    session_id: str
    token: str = field(repr=False)
    acknowledged: int = 0
    """The bytes that were acknowledged to the one who asks."""
    segments: int = 0
    """The segments that the one who asks has got."""
    words: bool = False
    """Whether words are told one by one."""
    hearing_key: str = ""
    """As at the opening."""


@dataclass(frozen=True)
class Chunk:
    """The next bytes."""

    data: bytes = field(repr=False)
    offset: int | None = None
    """Where they begin in the session's audio. None: where the last ended."""


@dataclass(frozen=True)
class End:
    """No more bytes follow."""


@dataclass(frozen=True)
class Ready:
    """The session takes audio."""

    session_id: str
    token: str = field(repr=False)
    offset: int
    """Where the next chunk is expected to begin."""
    kept_for: timedelta
    """How long the session waits for another stream."""


@dataclass(frozen=True)
class Acknowledged:
    """All bytes before the offset are held."""

    offset: int


@dataclass(frozen=True)
class SegmentHeard:
    """A segment will not change any more."""

    segment: Segment


@dataclass(frozen=True)
class Partial:
    """The text after the last segment, which is still being heard."""

    committed: str = field(repr=False)
    tentative: str = field(repr=False)
    """What may still change."""
    words: tuple[Word, ...] = field(default=(), repr=False)
    """Those of `committed`, where they are wanted."""


@dataclass(frozen=True)
class Whole:
    """Everything that was said, at the end."""

    transcript: Transcript


@dataclass(frozen=True)
class Progress:
    """How far an analysis is."""

    asked: int = 0
    """The questions that the language model was or is to be asked, as far as is known. Zero: the
    analysis waits for its turn.
    """
    answered: int = 0
    """Those that are done with."""


@dataclass(frozen=True)
class Analyzed:
    """What the session came to, as the last."""

    transcript: Transcript
    findings: Findings


Heard = Ready | Acknowledged | SegmentHeard | Partial | Whole
"""What the audio room tells."""
Told = Heard | Progress | Analyzed
"""What the session's client is told."""
