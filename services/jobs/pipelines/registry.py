"""Which pipeline does which type of job."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from services.jobs.content import JobOutput, JobType
from services.jobs.pipelines import (
    caption_v1,
    session_report_v1,
    surveillance_v1,
    task_timing_v1,
    transcription_v1,
    video_summary_v1,
    vlm_only,
)
from services.jobs.pipelines.work import Work

# Each takes the input of its own type, which the core has made sure of.
Pipeline = Callable[[Any, Work], Awaitable[JobOutput]]

PIPELINES: Final[dict[JobType, Pipeline]] = {
    JobType.CAPTION_V1: caption_v1.run,
    JobType.SESSION_REPORT_V1: session_report_v1.run,
    JobType.SURVEILLANCE_V1: surveillance_v1.run,
    JobType.TASK_TIMING_V1: task_timing_v1.run,
    JobType.TRANSCRIPTION_V1: transcription_v1.run,
    JobType.VIDEO_SUMMARY_V1: video_summary_v1.run,
    JobType.VLM_ONLY: vlm_only.run,
}
