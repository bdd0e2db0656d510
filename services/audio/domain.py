"""The words of this room: what is heard, and when. They know neither the wire nor an engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Wish:
    """How speech is to be heard."""

    language: str = ""
    """As an ISO 639-1 code. Empty: found out."""
    hints: tuple[str, ...] = ()
    """Names and terms that may be said, as they are to be written."""


@dataclass(frozen=True)
class Word:
    """A word with its punctuation."""

    start_seconds: float
    """Where it begins, from the start of the audio it is part of."""
    end_seconds: float
    """Where it ends."""
    text: str
    """The word, with the space before it where there is one."""
    confidence: float = 0.0
    """From 0 to 1. Zero: unknown."""


@dataclass(frozen=True)
class Segment:
    """A stretch of speech."""

    start_seconds: float
    """Where it begins, from the start of the audio it is part of."""
    end_seconds: float
    """Where it ends."""
    text: str
    """What was said, without spaces around it."""
    words: tuple[Word, ...] = ()
    """The same word by word, in order."""
    language: str = ""
    """As an ISO 639-1 code."""
    speaker: str = ""
    """Who speaks, such as `S1`. Empty: not told apart."""

    @property
    def confidence(self) -> float:
        """The mean of its words', from 0 to 1. Zero: unknown."""
        return sum(it.confidence for it in self.words) / max(len(self.words), 1)


@dataclass(frozen=True)
class Voicing:
    """Somebody begins to speak, or pauses."""

    speaking: bool
    seconds: float
    """Where, from the start of the audio."""
    segments: int
    """How many segments come before it."""


@dataclass(frozen=True)
class Transcript:
    """Speech in words."""

    segments: tuple[Segment, ...]
    """In order of time, without overlap."""
    language: str
    """As an ISO 639-1 code. Empty when nothing was said and no language was named."""
    duration_seconds: float
    """The length of the audio, silence included."""
    speakers_told_apart: bool = False
    """Whether each segment is one speaker's and says whose."""

    @property
    def text(self) -> str:
        """Everything that was said."""
        return " ".join(segment.text for segment in self.segments)

    @property
    def confidence(self) -> float:
        """The mean of all words', from 0 to 1. Zero: unknown."""
        words = [word for segment in self.segments for word in segment.words]
        return sum(it.confidence for it in words) / max(len(words), 1)


@dataclass(frozen=True)
class SpeakerTurn:
    """A stretch in which one voice speaks."""

    start_seconds: float
    """Where it begins, from the start of the audio."""
    end_seconds: float
    """Where it ends."""
    voice: int
    """The same number is the same voice; it says nothing else."""


@dataclass(frozen=True)
class Reached:
    """How far a recording was heard."""

    seconds: float
    lasts_seconds: float = 0.0
    """How long it will turn out to be. Zero: nothing tells."""


@dataclass(frozen=True)
class Received:
    """How much has come of a recording that is sent in pieces."""

    size: int
    """In bytes."""


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


def segment_of(words: Sequence[Word], language: str) -> Segment:
    """Make a segment of at least one word."""
    text = "".join(word.text for word in words).strip()
    return Segment(words[0].start_seconds, words[-1].end_seconds, text, tuple(words), language)
