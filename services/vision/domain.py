"""The words of the vision room, beside those of the engine that it shares."""

from dataclasses import dataclass
from datetime import timedelta

from services.engine.domain import Answer


@dataclass(frozen=True)
class Generated:
    """The answer to a conversation."""

    answer: Answer
    processing_time: timedelta
    """From the room's receipt of the request to the end of the answer."""


@dataclass(frozen=True)
class Description:
    """A picture in words."""

    answer: Answer
    width: int
    """Of the picture as it was sent, the right way up."""
    height: int
    """Of the picture as it was sent, the right way up."""
    processing_time: timedelta
    """From the room's receipt of the request to the end of the answer."""
