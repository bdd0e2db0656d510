"""A job as the caption queue (Moondream2) writes it. Total, and without I/O."""

from datetime import UTC
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from mesh.jobs.v1 import job_output_pb2
from mesh.jobs.v1 import job_pb2 as pb

STATUSES: Final = {
    pb.JOB_STATE_PENDING: "queued",
    pb.JOB_STATE_RUNNING: "processing",
    pb.JOB_STATE_CANCELLING: "processing",
    pb.JOB_STATE_COMPLETED: "completed",
    pb.JOB_STATE_FAILED: "failed",
    pb.JOB_STATE_CANCELLED: "failed",
}
"""The status of each state; the caption queue knows no cancelling."""


def webhook_to_json(job: pb.Job) -> dict[str, Any]:
    """Write what the webhook of a job that has ended says."""
    return {
        "job_id": job.id,
        "status": STATUSES[job.state],
        "result": result_to_json(job),
        "error_message": error_message_of(job),
        "timestamp": time_to_json(job.end_time),
    }


def result_to_json(job: pb.Job) -> dict[str, Any] | None:
    """Write what came of a job, of whatever type, as a caption; None where nothing came."""
    if not job.HasField("output"):
        return None
    took = job.end_time.ToDatetime(UTC) - job.start_time.ToDatetime(UTC)
    return {"caption": _text_of(job.output), "processing_time": took.total_seconds()}


def error_message_of(job: pb.Job) -> str | None:
    """Say why a job has no result; None while it may come to one or has."""
    match job.state:
        case pb.JOB_STATE_FAILED:
            return job.error.message
        case pb.JOB_STATE_CANCELLED:
            return "the job was cancelled"
        case _:
            return None


def time_to_json(time: Timestamp) -> str:
    """Write a time as the caption queue does: by the local clock, without an offset."""
    return time.ToDatetime(UTC).astimezone().replace(tzinfo=None).isoformat()


def _text_of(output: job_output_pb2.JobOutput) -> str:
    match output.WhichOneof("output"):
        case "caption_v1":
            return "\n".join(it.text for it in output.caption_v1.captions)
        case "vlm_only":
            return "\n".join(it.text for it in output.vlm_only.responses)
        case "task_timing_v1":
            return output.task_timing_v1.summary
        case "surveillance_v1":
            return output.surveillance_v1.summary
        case "video_summary_v1":
            return output.video_summary_v1.summary
        case "session_report_v1":
            return output.session_report_v1.summary
        case _:
            return output.transcription_v1.transcript.text
