"""What jobs need of the other rooms, and of whoever cuts videos into frames."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.jobs.content import Blob, Risk, Transcript
from services.jobs.domain import Json


@dataclass(frozen=True)
class Sight:
    """A picture looked at for risks."""

    text: str = field(repr=False)
    risks: tuple[Risk, ...] | None
    """None: the model cannot tell."""


@dataclass(frozen=True)
class Frame:
    """One picture of a video."""

    data: bytes = field(repr=False)
    """As JPEG."""
    seconds: float
    """Since the beginning of the video."""


@dataclass(frozen=True)
class Sampled:
    """What was taken out of a video."""

    frames: Sequence[Frame]
    """At least one, in order."""
    duration_seconds: float


@dataclass(frozen=True)
class TokenCounts:
    """How long texts are for the language model."""

    counts: tuple[int, ...]
    """Of each, in their order: rather too many than too few."""
    context_tokens: int
    """What a conversation and its answer share. Zero: the engine does not say."""


class Film(Protocol):
    """Takes frames out of videos."""

    async def sample(self, video: Blob, *, frames_per_second: float, most_frames: int) -> Sampled:
        """Take so many frames of each second, or at most so many spread evenly.

        Raises `InvalidInput` for what is no video.
        """
        ...


class Vision(Protocol):
    """Sees."""

    async def describe(self, picture: Blob, prompt: str) -> str:
        """Describe a picture. An empty prompt asks for a plain description."""
        ...

    async def analyze(self, picture: Blob, prompt: str) -> Sight:
        """Describe a picture, and tell the risks in it where the model can."""
        ...


class Reasoning(Protocol):
    """Reasons."""

    async def extract(
        self,
        turns: Sequence[tuple[str, str]],
        schema: Mapping[str, Json],
        *,
        most_tokens: int = 0,
    ) -> Mapping[str, Json]:
        """Answer turns of (role, text) with a JSON object that fits the schema.

        The roles are `system`, `user` and `assistant`. Zero tokens: as many as the room allows.
        """
        ...

    async def count_tokens(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of texts by the model's own tokenizer, where it has one."""
        ...

    async def choose(
        self, turns: Sequence[tuple[str, str]], answers: Sequence[str]
    ) -> Sequence[float]:
        """Tell how likely each of some answers to turns of (role, text) is, together 1.

        Where the engine does not tell, the one that it chooses has all.
        """
        ...


Tell = Callable[[float, float], Awaitable[None]]
"""Told the seconds that were heard, and about how many there are; zero: nobody knows."""


class Audio(Protocol):
    """Hears."""

    async def transcribe(
        self, recording: AsyncGenerator[bytes, None], language: str, tell: Tell
    ) -> Transcript:
        """Transcribe a recording of any size, which it closes and calls `audio` in errors, and tell
        how far it is. An empty language is to be found out.
        """
        ...
