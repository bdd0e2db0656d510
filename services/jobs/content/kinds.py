"""The types of jobs, and what each takes and gives."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from services.jobs.content.inputs import (
    CaptionInput,
    JobInput,
    SessionReportInput,
    SurveillanceInput,
    TaskTimingInput,
    TranscriptionInput,
    VideoSummaryInput,
    VlmOnlyInput,
)
from services.jobs.content.outputs import (
    CaptionOutput,
    SurveillanceOutput,
    TaskTimingOutput,
    TranscriptionOutput,
    VlmOnlyOutput,
)
from services.jobs.content.reports import SessionReportOutput, VideoSummaryOutput

JobOutput = (
    TaskTimingOutput
    | CaptionOutput
    | VlmOnlyOutput
    | SurveillanceOutput
    | VideoSummaryOutput
    | TranscriptionOutput
    | SessionReportOutput
)


class JobType(StrEnum):
    """A kind of work."""

    TASK_TIMING_V1 = "task_timing_v1"
    """When a task began and ended in a series of pictures."""
    CAPTION_V1 = "caption_v1"
    """What is to be seen in each picture."""
    VLM_ONLY = "vlm_only"
    """What the vision model answers to each picture."""
    SURVEILLANCE_V1 = "surveillance_v1"
    """Which risks are to be seen in pictures or a video."""
    VIDEO_SUMMARY_V1 = "video_summary_v1"
    """What happens in a video."""
    TRANSCRIPTION_V1 = "transcription_v1"
    """What was said in a recording."""
    SESSION_REPORT_V1 = "session_report_v1"
    """What was said and seen in a session, and what follows from it."""


INPUTS: Final[Mapping[JobType, type[JobInput]]] = {
    JobType.TASK_TIMING_V1: TaskTimingInput,
    JobType.CAPTION_V1: CaptionInput,
    JobType.VLM_ONLY: VlmOnlyInput,
    JobType.SURVEILLANCE_V1: SurveillanceInput,
    JobType.VIDEO_SUMMARY_V1: VideoSummaryInput,
    JobType.TRANSCRIPTION_V1: TranscriptionInput,
    JobType.SESSION_REPORT_V1: SessionReportInput,
}
OUTPUTS: Final[Mapping[JobType, type[JobOutput]]] = {
    JobType.TASK_TIMING_V1: TaskTimingOutput,
    JobType.CAPTION_V1: CaptionOutput,
    JobType.VLM_ONLY: VlmOnlyOutput,
    JobType.SURVEILLANCE_V1: SurveillanceOutput,
    JobType.VIDEO_SUMMARY_V1: VideoSummaryOutput,
    JobType.TRANSCRIPTION_V1: TranscriptionOutput,
    JobType.SESSION_REPORT_V1: SessionReportOutput,
}
