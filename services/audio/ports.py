"""What the audio room needs of a speech engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from services.audio.domain import Segment
from services.media.audio import Samples


@dataclass(frozen=True)
class Heard:
    """What a model hears in a stretch of audio."""

    language: str
    """The language given, else the one found. Empty when nothing is said and none was given."""
    segments: Iterator[Segment]
    """In order of time. The work is done while they are read: who stops reading stops it."""


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

    def transcribe(self, samples: Samples, language: str) -> Heard:
        """Hear a stretch of a few minutes at most. Empty language: found out.

        Silence has no segments. Raises `Unavailable`, here or while the segments are read.
        """
        ...
