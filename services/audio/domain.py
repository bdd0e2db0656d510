"""The words of this room: what is heard, and when. They know neither the wire nor an engine."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Segment:
    """A stretch of speech."""

    start_seconds: float
    """Where it begins, from the start of the audio it is part of."""
    end_seconds: float
    """Where it ends."""
    text: str
    """What was said, without spaces around it."""


@dataclass(frozen=True)
class Transcript:
    """Speech in words."""

    segments: tuple[Segment, ...]
    """In order of time, without overlap."""
    language: str
    """As an ISO 639-1 code. Empty when nothing was said and no language was named."""
    duration_seconds: float
    """The length of the audio, silence included."""

    @property
    def text(self) -> str:
        """Everything that was said."""
        return " ".join(segment.text for segment in self.segments)


@dataclass(frozen=True)
class Transcription:
    """A transcript and what it cost."""

    transcript: Transcript
    processing_time: timedelta
    """From the receipt of the recording to the end of the answer."""


@dataclass(frozen=True)
class Model:
    """The model that answers."""

    name: str
    engine: str
    """What runs it, such as `whisper`."""
    ready: bool
    """Whether it is loaded."""
