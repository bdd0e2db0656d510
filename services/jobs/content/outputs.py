"""What comes of jobs, type by type."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class Observation:
    """What was seen in one picture."""

    image_id: str
    capture_time: datetime | None
    text: str = field(repr=False)
    offset_seconds: float | None = None
    """Where the picture stands in its video. None: it is no frame of a video."""


@dataclass(frozen=True)
class Boundary:
    """Where a task begins or ends: between two pictures that tell."""

    before_image_id: str
    """Empty: no picture before it tells."""
    after_image_id: str
    """Empty: no picture after it tells."""
    before_time: datetime | None
    after_time: datetime | None
    confidence: float
    """How likely it lies there."""
    reason: str = field(repr=False)


@dataclass(frozen=True)
class Interruption:
    """The pictures of a pause within a task, both ends included."""

    start_image_id: str
    end_image_id: str


@dataclass(frozen=True)
class Task:
    """A stretch of pictures in which the task went on."""

    start_image_id: str
    end_image_id: str
    start_time: datetime | None
    end_time: datetime | None
    start_index: int
    end_index: int
    evidence_image_ids: tuple[str, ...]
    """The pictures from start to end that show it."""
    task_id: str = "0"
    start: Boundary | None = None
    """None: recorded before boundaries were."""
    end: Boundary | None = None
    open_start: bool = False
    """Whether its beginning was not seen."""
    open_end: bool = False
    """Whether its end was not seen."""
    interruptions: tuple[Interruption, ...] = ()


@dataclass(frozen=True)
class Sighting:
    """What one picture says of one task."""

    task_id: str
    shows: bool | None
    """By itself. None: it tells nothing."""
    probability: float
    """That the task goes on in it, by the pictures around it too."""


@dataclass(frozen=True)
class Moment:
    """A picture's place on the timeline."""

    image_id: str
    capture_time: datetime | None
    sightings: tuple[Sighting, ...]
    """Of each task, in their order."""


@dataclass(frozen=True)
class TaskTimingOutput:
    """When tasks began and ended."""

    observations: tuple[Observation, ...]
    tasks: tuple[Task, ...]
    """Task by task, each in the order of time."""
    summary: str = field(repr=False)
    timeline: tuple[Moment, ...] = ()
    """Empty: recorded before timelines were."""


@dataclass(frozen=True)
class CaptionOutput:
    """Pictures in words."""

    captions: tuple[Observation, ...]


@dataclass(frozen=True)
class VlmOnlyOutput:
    """What the vision model answered to each picture."""

    responses: tuple[Observation, ...]


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

    description: str = field(repr=False)
    severity: Severity


@dataclass(frozen=True)
class FoundRisk:
    """A risk that was found in a stretch of pictures."""

    risk: Risk
    evidence_image_ids: tuple[str, ...]
    """The pictures that show it: never empty."""
    start_time: datetime | None
    """When the first of them was taken. None: unknown."""
    end_time: datetime | None


@dataclass(frozen=True)
class SurveillanceOutput:
    """What was found in watching for risks."""

    observations: tuple[Observation, ...]
    risks: tuple[FoundRisk, ...]
    """The worst first."""
    summary: str = field(repr=False)
    dropped_claims: int
    """Claims that rest on no picture."""


@dataclass(frozen=True)
class Scene:
    """A stretch of a video in which one thing goes on."""

    start_seconds: float
    end_seconds: float
    text: str = field(repr=False)
    evidence_image_ids: tuple[str, ...]
    """The frames that it rests on: never empty."""


@dataclass(frozen=True)
class Word:
    """A word as it was said."""

    start_seconds: float
    end_seconds: float
    text: str = field(repr=False)
    confidence: float = 0.0
    """From 0 to 1. Zero: unknown."""


@dataclass(frozen=True)
class Segment:
    """A stretch of speech."""

    start_seconds: float
    end_seconds: float
    text: str = field(repr=False)
    speaker: str = ""
    """The same name is the same voice. Empty: speakers were not told apart."""
    words: tuple[Word, ...] = field(default=(), repr=False)
    """Empty: they were not asked for."""
    confidence: float = 0.0
    """From 0 to 1. Zero: unknown."""
    language: str = ""
    """As an ISO 639-1 code."""


@dataclass(frozen=True)
class Transcript:
    """Speech in words."""

    text: str = field(repr=False)
    segments: tuple[Segment, ...]
    language: str
    duration_seconds: float
    confidence: float = 0.0
    """From 0 to 1. Zero: unknown."""
    speakers_told_apart: bool = False
    """Whether segments may name speakers."""


@dataclass(frozen=True)
class TranscriptionOutput:
    """A recording in words."""

    transcript: Transcript
