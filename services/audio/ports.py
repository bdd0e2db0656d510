"""What the audio room needs of engines: one that hears words, and one that tells voices apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from services.audio.domain import Segment, SpeakerTurn
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
class Stretch:
    """Up to half a minute of audio that is heard in one pass."""

    samples: Samples
    asked: Asked
    """With the care of a pass that somebody waits for, not `BULK`."""


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
    most_together: int
    """How many stretches are heard together at most; one, where it saves nothing."""

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

    def hear(self, stretches: Sequence[Stretch]) -> Sequence[Heard]:
        """Hear several stretches together, in their order, each as if it were alone: whatever
        language, hints and context the others have.

        Silence has no segments. Raises `Unavailable`.
        """
        ...

    def voice(self) -> Voice:
        """Begin to listen for voices in a stream. What it gives may be used in any thread."""
        ...


class Diarization(Protocol):
    """Tells the voices of one recording or session apart."""

    def feed(self, samples: Samples) -> None:
        """Take the next samples. It never waits; when too much waits already, it gives up."""
        ...

    async def room(self) -> None:
        """Wait until more may be fed without giving up."""
        ...

    async def turns(self) -> Sequence[SpeakerTurn]:
        """Tell who spoke when, in order of time and without overlap; once, after all was fed.
        Raises `Unavailable` when it gave up, broke down or took too long.
        """
        ...

    def close(self) -> None:
        """Forget what was fed. May be called again."""
        ...


class Diarizer(Protocol):
    """Tells voices apart, many recordings at once."""

    def start(self) -> None:
        """Begin to make ready, without waiting for it."""
        ...

    def listen(self) -> Diarization:
        """Begin with a recording; whoever does closes what they get."""
        ...

    async def close(self) -> None:
        """End it, with all that is under way."""
        ...
