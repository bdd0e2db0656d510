"""A job as vlm-node writes it, in its REST answers and in its webhooks. Total, and without I/O.

What a client sent and the contract has no place for travels in the job's client data, as JSON text:
so it comes back to the letter, which a map of doubles would not promise.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from mesh.jobs.v1 import job_input_pb2, job_output_pb2
from mesh.jobs.v1 import job_pb2 as pb

TIMING: Final = "task_timing_v1"
STATES: Final = {
    "pending": pb.JOB_STATE_PENDING,
    "running": pb.JOB_STATE_RUNNING,
    "completed": pb.JOB_STATE_COMPLETED,
    "failed": pb.JOB_STATE_FAILED,
    "cancelling": pb.JOB_STATE_CANCELLING,
    "cancelled": pb.JOB_STATE_CANCELLED,
}
"""The state of each status that a job can be in."""

_STATUS_OF: Final = {state: status for status, state in STATES.items()}
_NO_IMAGES_CODE, _PROCESSING_CODE = 400, 100
_NO_DATA: Final = ("NO_IMAGES", "NO_DATA")
# Clients of the contract may attach what they like; this is ours.
_KEPT: Final = "vlm_node"


def job_to_json(job: pb.Job) -> dict[str, Any]:
    """Write a job, its keys in the order of vlm-node. One that came in otherwise is written too."""
    kept = _kept_of(job)
    return {
        "id": job.id,
        "status": _STATUS_OF[job.state],
        "created_at": job.create_time.ToJsonString(),
        "updated_at": job.update_time.ToJsonString(),
        "domain_id": kept.get("domain_id", ""),
        "query": kept.get("query", {"ids": []}),
        "hash": "",
        "input": kept.get("input", _input_to_json(job.input)),
        "output": _output_to_json(job.output) if job.HasField("output") else None,
        "error": _error_to_json(job.error) if job.state == pb.JOB_STATE_FAILED else None,
        "job_type": job_type_of(job),
    }


def webhook_to_json(job: pb.Job) -> dict[str, Any]:
    """Write what the webhook of a job that has ended says. A cancelled one is told as an error."""
    error = None
    if job.state == pb.JOB_STATE_FAILED:
        error = _error_to_json(job.error)
    elif job.state == pb.JOB_STATE_CANCELLED:
        error = {"code": _PROCESSING_CODE, "message": "the job was cancelled"}
    data = _output_to_json(job.output) if job.HasField("output") else None
    return {"job_id": job.id, "data": data, "error": error}


def job_type_of(job: pb.Job) -> str:
    """The type that the client gave the job, which need not be the one it runs as."""
    return str(_kept_of(job).get("job_type", job.type))


def keep(attached: Struct, sent: Mapping[str, Any]) -> None:
    """Put what the client sent into a job's client data, beside what is kept there already."""
    kept = attached.get_or_create_struct(_KEPT)
    kept.update({name: json.dumps(value) for name, value in sent.items()})


def _kept_of(job: pb.Job) -> dict[str, Any]:
    if _KEPT not in job.client_data.fields:
        return {}
    kept = job.client_data.fields[_KEPT].struct_value.fields
    try:
        return {name: json.loads(value.string_value) for name, value in kept.items()}
    except (ValueError, RecursionError):
        # Not written by `keep`: somebody attached it through the contract.
        return {}


def _input_to_json(given: job_input_pb2.JobInput) -> dict[str, Any]:
    if given.WhichOneof("input") != TIMING:
        return MessageToDict(given, preserving_proto_field_name=True)
    timing = given.task_timing_v1
    return {"vlm_prompt": timing.image_prompt, "prompt": timing.task, "webhook_url": ""}


def _output_to_json(output: job_output_pb2.JobOutput) -> dict[str, Any]:
    match output.WhichOneof("output"):
        case "task_timing_v1":
            timing = output.task_timing_v1
            return {
                "logs": _csv(timing.observations),
                "temporal_output": timing.summary,
                "tasks": [_task_to_json(task) for task in timing.tasks],
            }
        case "vlm_only":
            seen = output.vlm_only.responses
            # The client in use reads the first two alone, though vlm-node writes only the third.
            return {
                "logs": _csv(seen),
                "temporal_output": seen[-1].text if seen else "",
                "responses": [
                    {"image_id": it.image_id, "timestamp": _stamp(it), "response": it.text}
                    for it in seen
                ],
            }
        case _:
            return MessageToDict(output, preserving_proto_field_name=True)


def _csv(observations: Iterable[job_output_pb2.Observation]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for seen in observations:
        writer.writerow((seen.image_id, _stamp(seen), seen.text))
    # Clients take the last line for the last picture, so none follows it.
    return "\n".join(("id,timestamp,event", text.getvalue())).rstrip("\n")


def _stamp(seen: job_output_pb2.Observation) -> str:
    if not seen.HasField("capture_time"):
        return ""
    return f"{seen.capture_time.ToDatetime(UTC):%Y%m%d_%H%M%S}"


def _task_to_json(task: job_output_pb2.Task) -> dict[str, Any]:
    return {
        "start": _time(task.start_time if task.HasField("start_time") else None),
        "end": _time(task.end_time if task.HasField("end_time") else None),
        "start_image_id": task.start_image_id,
        "end_image_id": task.end_image_id,
        "evidence_image_ids": list(task.evidence_image_ids),
        "task": task.task_id,
        "start_boundary": _boundary_to_json(task.start) if task.HasField("start") else None,
        "end_boundary": _boundary_to_json(task.end) if task.HasField("end") else None,
        "open_start": task.open_start,
        "open_end": task.open_end,
        "interruptions": [
            {"start_image_id": it.start_image_id, "end_image_id": it.end_image_id}
            for it in task.interruptions
        ],
    }


def _boundary_to_json(boundary: job_output_pb2.Boundary) -> dict[str, Any]:
    return {
        "before_image_id": boundary.before_image_id,
        "after_image_id": boundary.after_image_id,
        "confidence": boundary.confidence,
        "reason": boundary.reason,
    }


def _time(time: Timestamp | None) -> str | None:
    return None if time is None else time.ToJsonString()


def _error_to_json(error: pb.JobError) -> dict[str, Any]:
    if error.reason in _NO_DATA:
        return {"code": _NO_IMAGES_CODE, "message": error.message}
    if error.reason.startswith("DOMAIN_") or error.reason == "TOO_MUCH_DATA":
        message = f"Failed to download domain data: {error.message}"
        return {"code": _NO_IMAGES_CODE, "message": message}
    return {"code": _PROCESSING_CODE, "message": error.message}
