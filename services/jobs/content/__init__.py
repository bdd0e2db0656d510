"""What jobs work on and what comes of it, type by type.

What users sent and what models said is left out of every `repr`, so that it cannot slip into a log.
"""

from services.jobs.content.inputs import (
    CaptionInput,
    Draft,
    JobInput,
    SurveillanceInput,
    TaskTimingInput,
    TranscriptionInput,
    VideoSummaryInput,
    VlmOnlyInput,
)
from services.jobs.content.kinds import (
    INPUTS,
    OUTPUTS,
    JobType,
)
from services.jobs.content.media import (
    HELD,
    Blob,
    DomainQuery,
    Holding,
    Image,
    MediaId,
    Video,
)
from services.jobs.content.outputs import (
    CaptionOutput,
    FoundRisk,
    JobOutput,
    Observation,
    Risk,
    Scene,
    Segment,
    Severity,
    SurveillanceOutput,
    Task,
    TaskTimingOutput,
    Transcript,
    TranscriptionOutput,
    VideoSummaryOutput,
    VlmOnlyOutput,
)

__all__ = [
    "HELD",
    "INPUTS",
    "OUTPUTS",
    "Blob",
    "CaptionInput",
    "CaptionOutput",
    "DomainQuery",
    "Draft",
    "FoundRisk",
    "Holding",
    "Image",
    "JobInput",
    "JobOutput",
    "JobType",
    "MediaId",
    "Observation",
    "Risk",
    "Scene",
    "Segment",
    "Severity",
    "SurveillanceInput",
    "SurveillanceOutput",
    "Task",
    "TaskTimingInput",
    "TaskTimingOutput",
    "Transcript",
    "TranscriptionInput",
    "TranscriptionOutput",
    "Video",
    "VideoSummaryInput",
    "VideoSummaryOutput",
    "VlmOnlyInput",
    "VlmOnlyOutput",
]
