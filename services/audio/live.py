"""What passes between a live session and its streams, in this room's own words."""

from dataclasses import dataclass, field
from datetime import timedelta

from services.audio.domain import Segment, Transcript, Voicing, Wish, Word
from services.media.speech import Encoding


@dataclass(frozen=True)
class Opening:
    """A new session is wanted."""

    wish: Wish = field(default_factory=Wish)
    encoding: Encoding = Encoding.PCM16
    sample_rate_hz: int = 0
    """Zero: the encoding's usual one."""


@dataclass(frozen=True)
class Resumption:
    """A session is to be taken up again."""

    session_id: str
    token: str = field(repr=False)
    acknowledged: int = 0
    """The bytes that were acknowledged to the one who asks."""
    segments: int = 0
    """The segments that the one who asks has got."""


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
    """How long the session is kept without a stream."""


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
    """The words after the last segment."""

    committed: tuple[Word, ...]
    tentative: tuple[Word, ...]
    """Those that may still change."""


@dataclass(frozen=True)
class Whole:
    """Everything, at the end."""

    transcript: Transcript


Told = Ready | Acknowledged | Voicing | SegmentHeard | Partial | Whole
