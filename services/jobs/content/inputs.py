"""What jobs work on, type by type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.jobs.content.media import DomainQuery, Image, Video


@dataclass(frozen=True)
class TimedTask:
    """A task to be found."""

    id: str
    """What the sender calls it. Empty: its place among the tasks."""
    task: str = field(repr=False)
    """What it looks like while it goes on."""


@dataclass(frozen=True)
class TaskTimingInput:
    """A series of pictures in which tasks are to be found."""

    task: str = field(repr=False)
    """What it looks like while it goes on. Empty: there are others."""
    image_prompt: str = field(repr=False)
    """What to ask of each picture. Empty: a plain description."""
    images: tuple[Image, ...]
    domain: DomainQuery | None = None
    """Where more pictures lie. None: nowhere."""
    tasks: tuple[TimedTask, ...] = ()
    """Others."""
    most_pause_seconds: float = 0.0
    """A pause of at most this long does not end a task."""

    @property
    def wanted(self) -> tuple[TimedTask, ...]:
        """Every task, each with an id."""
        every = (*((TimedTask("", self.task),) if self.task else ()), *self.tasks)
        return tuple(TimedTask(it.id or str(index), it.task) for index, it in enumerate(every))


@dataclass(frozen=True)
class CaptionInput:
    """Pictures to describe one by one."""

    prompt: str = field(repr=False)
    """What to ask of each picture. Empty: a plain description."""
    images: tuple[Image, ...]
    domain: DomainQuery | None = None
    """Where more pictures lie. None: nowhere."""


@dataclass(frozen=True)
class VlmOnlyInput:
    """Pictures to ask the vision model about one by one."""

    prompt: str = field(repr=False)
    """What to ask of each picture."""
    images: tuple[Image, ...]
    domain: DomainQuery | None = None
    """Where more pictures lie. None: nowhere."""


@dataclass(frozen=True)
class SurveillanceInput:
    """Pictures, or a video, to watch for risks."""

    focus: str = field(repr=False)
    """What to look out for. Empty: whatever may do harm."""
    images: tuple[Image, ...] = ()
    video: Video | None = None
    """None: there are pictures."""
    domain: DomainQuery | None = None
    """Where more pictures lie. None: nowhere."""


@dataclass(frozen=True)
class VideoSummaryInput:
    """A video to sum up."""

    video: Video | None
    """None: none was sent."""
    focus: str = field(repr=False)
    """What to pay heed to. Empty: whatever happens."""


@dataclass(frozen=True)
class TranscriptionInput:
    """A recording to transcribe."""

    audio: str
    """The key of its bytes. Empty: none was sent."""
    language: str
    """As an ISO 639-1 code. Empty: to be found out."""
    uri: str = field(default="", repr=False)
    """Where its bytes are, when they were not sent. Empty: they were."""


@dataclass(frozen=True)
class SessionReportInput:
    """A session that was heard, seen or both."""

    recording: TranscriptionInput | None
    """None: nothing was heard, or the sound of the video."""
    recording_time: datetime | None
    """When the recording begins. None: when the first picture was taken."""
    images: tuple[Image, ...] = ()
    video: Video | None = None
    focus: str = field(default="", repr=False)
    """What to pay heed to. Empty: whatever happens."""
    domain: DomainQuery | None = None
    """Where more pictures lie. None: nowhere."""


JobInput = (
    TaskTimingInput
    | CaptionInput
    | VlmOnlyInput
    | SurveillanceInput
    | VideoSummaryInput
    | TranscriptionInput
    | SessionReportInput
)


@dataclass(frozen=True)
class Draft:
    """An input as a client sent it, with the bytes it names, before anything is believed."""

    input: JobInput
    data: Mapping[str, bytes] = field(repr=False)
    """The bytes by key."""
