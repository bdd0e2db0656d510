"""The words of a chat with a model. They know neither HTTP nor who asks.

What users said and showed is left out of every `repr`, so that it cannot slip into a log.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from services.engine.machine import Capabilities


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    """Sets the frame of the conversation."""
    USER = "user"
    """Asks."""
    ASSISTANT = "assistant"
    """Answers: the model's own earlier turns."""


class PictureType(StrEnum):
    """How a picture's bytes are encoded; every engine reads both."""

    JPEG = "image/jpeg"
    """Lossy."""
    PNG = "image/png"
    """Lossless."""


@dataclass(frozen=True)
class Text:
    """Words."""

    text: str = field(repr=False)


@dataclass(frozen=True)
class Picture:
    """A picture that has been decoded once and fits the model: `services.media` made it."""

    data: bytes = field(repr=False)
    media_type: PictureType


@dataclass(frozen=True)
class Frame:
    """One picture of a clip."""

    picture: Picture
    seconds: float
    """From the clip's beginning."""


@dataclass(frozen=True)
class Clip:
    """A video that has been decoded once and sampled: its frames in order, at least one.

    An engine that takes clips reads it as one thing in time, another is shown its frames. Either
    gets pictures that `services.media` made: the bytes that a sender called a video stop there.
    """

    frames: tuple[Frame, ...]

    def thinned(self, most: int) -> "Clip":
        """Keep at most so many frames, spread evenly, the first and the last among them."""
        count = len(self.frames)
        if count <= most:
            return self
        step = (count - 1) / max(most - 1, 1)
        return Clip(tuple(self.frames[round(place * step)] for place in range(most)))


Part = Text | Picture | Clip


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; its parts keep their order."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class SentPicture:
    """A picture as it was received, which nobody has looked at: its bytes, or where they are."""

    data: bytes = field(default=b"", repr=False)
    uri: str = field(default="", repr=False)


@dataclass(frozen=True)
class SentVideo:
    """A video as it was received, which nobody has looked at: its bytes, or where they are."""

    data: bytes = field(default=b"", repr=False)
    uri: str = field(default="", repr=False)
    frames_per_second: float = 0.0
    """How many of its frames are wanted. Zero: the room decides."""
    most_frames: int = 0
    """How many of its frames are wanted at most. Zero: the room decides."""


SentPart = str | SentPicture | SentVideo


@dataclass(frozen=True)
class Turn:
    """A message as it was received: text, and media that nobody has looked at."""

    role: Role
    parts: tuple[SentPart, ...] = field(repr=False)


def size_of(parts: Iterable[SentPart]) -> int:
    """Count the bytes that came with parts, of text the letters."""
    return sum(len(it) if isinstance(it, str) else len(it.data) + len(it.uri) for it in parts)


@dataclass(frozen=True)
class Sampling:
    """How to draw an answer. What is None is the engine's choice."""

    max_tokens: int = 0
    """The most tokens to write. Zero: the room's own limit, which stands here before it is sent."""
    temperature: float | None = None
    """0 takes the likeliest token every time."""
    top_p: float | None = None
    """The share of probability to sample from."""
    seed: int | None = None
    """The same seed and input give the same answer, as far as the engine keeps that promise."""
    stop: tuple[str, ...] = field(default=(), repr=False)
    """Texts at which writing stops; they are not part of the answer."""
    likeliest: int = 0
    """How many of the tokens that the answer may begin with to tell of, where the engine can."""


class FinishReason(StrEnum):
    """Why a model stopped."""

    UNKNOWN = "unknown"
    """The engine did not say, or said something of its own."""
    STOP = "stop"
    """The answer is complete."""
    LENGTH = "length"
    """The answer was cut at `max_tokens` or at the end of the model's context."""


@dataclass(frozen=True)
class Answer:
    """A whole answer and what it cost."""

    text: str = field(repr=False)
    finish_reason: FinishReason
    input_tokens: int
    output_tokens: int
    model: str
    beginnings: tuple[tuple[str, float], ...] = field(default=(), repr=False)
    """The likeliest tokens to begin with, each with its probability, before a schema is held to.
    Empty: not asked for, or the engine does not tell."""


@dataclass(frozen=True)
class Delta:
    """A piece of an answer. Only the last has a finish reason, and what follows it in this list."""

    text: str = field(repr=False)
    finish_reason: FinishReason | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""


@dataclass(frozen=True)
class Piece:
    """A piece of an answer as a room gives it on."""

    delta: Delta
    processing_time: timedelta
    """From the room's receipt of the request to this piece."""


@dataclass(frozen=True)
class ModelInfo:
    """The model that answers."""

    name: str
    context_tokens: int = 0
    """The tokens of its context. Zero: the engine does not say."""


@dataclass(frozen=True)
class TokenCounts:
    """How long texts are for a model."""

    counts: tuple[int, ...]
    """Of each, in their order."""
    exact: bool
    """Whether the engine counted. Otherwise rather too many."""
    context_tokens: int
    """Of the model's context. Zero: the engine does not say."""


@dataclass(frozen=True)
class ServedModel:
    """The model of a room."""

    info: ModelInfo
    can: Capabilities
    ready: bool
    """Whether it can answer now."""
    notice: str
    """What its user must know of its limits. Empty: nothing particular."""
