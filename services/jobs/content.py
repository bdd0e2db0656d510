"""What jobs work on and what comes of it, type by type. Bytes of pictures and audio stand beside
an input, never in it: the input names them by their blob's key.

What users sent and what models said is left out of every `repr`, so that it cannot slip into a log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


class JobType(StrEnum):
    """A kind of work."""

    TASK_TIMING_V1 = "task_timing_v1"
    """When a task began and ended in a series of pictures."""
    CAPTION_V1 = "caption_v1"
    """What is to be seen in each picture."""
    TRANSCRIPTION_V1 = "transcription_v1"
    """What was said in a recording."""


@dataclass(frozen=True)
class Blob:
    """The bytes of a picture or a recording."""

    key: str
    """Its name within its job."""
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Image:
    """A picture to work on."""

    id: str
    """What the sender calls it. Empty until the core has given it one."""
    capture_time: datetime | None
    blob: str
    """The key of its bytes."""


@dataclass(frozen=True)
class TaskTimingInput:
    """A series of pictures in which a task is to be found."""

    task: str = field(repr=False)
    """What it looks like while it goes on."""
    image_prompt: str = field(repr=False)
    """What to ask of each picture. Empty: a plain description."""
    images: tuple[Image, ...]


@dataclass(frozen=True)
class CaptionInput:
    """Pictures to describe one by one."""

    prompt: str = field(repr=False)
    """What to ask of each picture. Empty: a plain description."""
    images: tuple[Image, ...]


@dataclass(frozen=True)
class TranscriptionInput:
    """A recording to transcribe."""

    audio: str
    """The key of its bytes. Empty: none was sent."""
    language: str
    """As an ISO 639-1 code. Empty: to be found out."""


JobInput = TaskTimingInput | CaptionInput | TranscriptionInput


@dataclass(frozen=True)
class Draft:
    """An input as a client sent it, with the bytes it names, before anything is believed."""

    input: JobInput
    data: Mapping[str, bytes] = field(repr=False)
    """The bytes by key."""


@dataclass(frozen=True)
class Observation:
    """What was seen in one picture."""

    image_id: str
    capture_time: datetime | None
    text: str = field(repr=False)


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


@dataclass(frozen=True)
class TaskTimingOutput:
    """When a task began and ended."""

    observations: tuple[Observation, ...]
    tasks: tuple[Task, ...]
    summary: str = field(repr=False)


@dataclass(frozen=True)
class CaptionOutput:
    """Pictures in words."""

    captions: tuple[Observation, ...]


@dataclass(frozen=True)
class Segment:
    """A stretch of speech."""

    start_seconds: float
    end_seconds: float
    text: str = field(repr=False)


@dataclass(frozen=True)
class Transcript:
    """Speech in words."""

    text: str = field(repr=False)
    segments: tuple[Segment, ...]
    language: str
    duration_seconds: float


@dataclass(frozen=True)
class TranscriptionOutput:
    """A recording in words."""

    transcript: Transcript


JobOutput = TaskTimingOutput | CaptionOutput | TranscriptionOutput

INPUTS: Final[Mapping[JobType, type[JobInput]]] = {
    JobType.TASK_TIMING_V1: TaskTimingInput,
    JobType.CAPTION_V1: CaptionInput,
    JobType.TRANSCRIPTION_V1: TranscriptionInput,
}
OUTPUTS: Final[Mapping[JobType, type[JobOutput]]] = {
    JobType.TASK_TIMING_V1: TaskTimingOutput,
    JobType.CAPTION_V1: CaptionOutput,
    JobType.TRANSCRIPTION_V1: TranscriptionOutput,
}
