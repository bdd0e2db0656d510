"""What comes of a video, and of a session that was both heard and seen."""

from dataclasses import dataclass, field

from services.jobs.content.findings import Finding, Findings
from services.jobs.content.outputs import Observation, Scene, Transcript


@dataclass(frozen=True)
class VideoSummaryOutput:
    """A video in short."""

    observations: tuple[Observation, ...]
    scenes: tuple[Scene, ...]
    summary: str = field(repr=False)
    duration_seconds: float
    summary_sentences: tuple[Finding, ...] = ()
    """The summary, each of its sentences with what it rests on."""
    dropped_claims: int = 0
    """Sentences that rest on no frame."""


@dataclass(frozen=True)
class TimelineEntry:
    """A moment of a session, from its start: something said, or else something seen."""

    start_seconds: float
    end_seconds: float
    segment_index: int | None = None
    """Its place in the transcript. None: it was seen."""
    observation_index: int | None = None
    """Its place among the observations. None: it was said."""


@dataclass(frozen=True)
class SessionReportOutput:
    """A session in short, with what follows from it."""

    transcript: Transcript | None
    """None: it had no sound."""
    observations: tuple[Observation, ...]
    timeline: tuple[TimelineEntry, ...] = field(repr=False)
    """In order of time."""
    findings: Findings
