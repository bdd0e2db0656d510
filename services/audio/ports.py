"""What the audio room needs of a speech engine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from services.audio.domain import Segment
from services.media.audio import Samples

VOICE_FRAME: Final = 512
"""The samples of one judgement whether there is a voice: 32 ms."""


class Care(StrEnum):
    """How much a pass may cost."""

    QUICK = "quick"
    """Of up to half a minute, while somebody speaks: the next pass may correct it."""
    CLOSING = "closing"
    """Of up to half a minute, after somebody spoke: nothing corrects it."""
    BULK = "bulk"
    """Of minutes, with silence in them; nobody waits for its first word."""


@dataclass(frozen=True)
class Asked:
    """How a stretch of audio is to be heard."""

    language: str = ""
    """As an ISO 639-1 code. Empty: found out."""
    hints: tuple[str, ...] = ()
    """Names and terms that may be said."""
    context: str = ""
    """What was said just before."""
    care: Care = Care.BULK


@dataclass(frozen=True)
class Heard:
    """What a model hears in a stretch of audio."""

    language: str
    """The language given, else the one found. Empty when nothing is said and none was given."""
    segments: Iterator[Segment]
    """In order of time. The work is done while they are read: who stops reading stops it."""


class Voice(Protocol):
    """Tells a voice from silence and noise in one stream of audio. Blocking, but cheap."""

    def feed(self, samples: Samples) -> Sequence[float]:
        """Judge the next samples: from 0 to 1 for each frame that is full by now, in order."""
        ...


class Transcriber(Protocol):
    """Turns samples into words. Blocking, and for one thread at a time: the core sees to both."""

    engine: str
    """What runs the model, such as `whisper`."""
    name: str
    """The model's name."""

    def load(self) -> None:
        """Make ready; called once, before anything else. Raises `Unavailable`."""
        ...

    def languages(self) -> frozenset[str]:
        """The ISO 639-1 codes of the languages that it knows."""
        ...

    def transcribe(self, samples: Samples, asked: Asked) -> Heard:
        """Hear a stretch of a few minutes at most, word by word.

        Silence has no segments. Raises `Unavailable`, here or while the segments are read.
        """
        ...

    def voice(self) -> Voice:
        """Begin to listen for voices in a stream. What it gives may be used in any thread."""
        ...
