"""The words of the vision room, beside those of the engine that it shares.

What was seen is left out of every `repr`, so that it cannot slip into a log.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from services.engine.domain import Answer, Sampling


@dataclass(frozen=True)
class Generated:
    """The answer to a conversation."""

    answer: Answer
    processing_time: timedelta
    """From the room's receipt of the request to the end of the answer."""


class Length(StrEnum):
    """How long a description is to be."""

    FREE = "free"
    """As the model likes."""
    SHORT = "short"
    """One sentence."""
    NORMAL = "normal"
    """A few sentences."""


@dataclass(frozen=True)
class Wish:
    """What is wanted of a description."""

    prompt: str = field(default="", repr=False)
    """What to ask of the picture. Empty: a plain description."""
    language: str = ""
    """A BCP 47 tag. Empty: that of the prompt."""
    length: Length = Length.FREE
    analyze: bool = False
    """Whether the scene is wanted in structured fields too."""
    sampling: Sampling = field(default_factory=Sampling)

    @property
    def steady(self) -> Sampling:
        """Its sampling; where that names no temperature, the likeliest answer, so that the same
        picture gets the same one as far as the engine keeps that promise.
        """
        if self.sampling.temperature is not None:
            return self.sampling
        return replace(self.sampling, temperature=0)


class Severity(StrEnum):
    """How bad a risk is, the worst last."""

    LOW = "low"
    """Worth knowing."""
    MEDIUM = "medium"
    """To be dealt with soon."""
    HIGH = "high"
    """To be dealt with now."""
    CRITICAL = "critical"
    """People are in danger."""


@dataclass(frozen=True)
class Risk:
    """Something that may do harm."""

    description: str
    severity: Severity


@dataclass(frozen=True)
class SceneObject:
    """A kind of thing in a scene."""

    name: str
    count: int
    """Zero: not counted."""


@dataclass(frozen=True)
class Person:
    """Somebody in a scene."""

    description: str
    activity: str
    """Empty: not to be seen."""


@dataclass(frozen=True)
class Scene:
    """A scene in structured fields."""

    objects: tuple[SceneObject, ...] = field(repr=False)
    people: tuple[Person, ...] = field(repr=False)
    activities: tuple[str, ...] = field(repr=False)
    risks: tuple[Risk, ...] = field(repr=False)
    """The worst first."""
    suggestions: tuple[str, ...] = field(repr=False)


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
    scene: Scene | None = None
    """None: not asked for, or see the problem."""
    scene_problem: str = ""
    """Why there is no scene although it was asked for. Empty: there is, or it was not."""


@dataclass(frozen=True)
class Device:
    """What the model runs on and how it is used. None: nobody can tell."""

    name: str = ""
    """Empty: nobody can tell."""
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    """By whomever."""
    engine_memory_bytes: int | None = None
    """What the engine's process holds."""
    cache_usage: float | None = None
    """The share of the engine's key-value cache that is in use, from 0 to 1."""
    running: int | None = None
    """Requests that the engine works on."""
    waiting: int | None = None
    """Requests that wait inside the engine."""


@dataclass(frozen=True)
class Relief:
    """What an engine let go of."""

    released: tuple[str, ...]
    """In words for people. Empty: it offers nothing to drop."""
    released_bytes: int | None
    """None: it cannot be told."""
