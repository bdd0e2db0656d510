"""What clients of vlm-node send, read into the contract. Total, and without I/O."""

import json
from dataclasses import dataclass
from typing import Any, Final

from mesh.jobs.v1 import job_input_pb2
from mesh.jobs.v1 import job_pb2 as pb
from mesh.jobs.v1 import job_service_pb2 as service_pb

from gateway.bridge.pictures import image_from_json
from services.chassis.errors import InvalidInput
from services.dialects.vlm_node import STATES, TIMING, job_type_of, keep

TYPES: Final = (TIMING,)
NO_DATA: Final = "NO_DATA"
BAD_QUERY: Final = "BAD_QUERY"
WORDS: Final = {NO_DATA: "No data found", BAD_QUERY: "Failed to parse query"}
"""vlm-node's own words for a cause."""

_KEPT: Final = ("job_type", "domain_id", "query", "input")
_NEVER: Final = ("completing", "uploading")


@dataclass(frozen=True)
class Revision:
    """What a retry brings."""

    job_type: str
    input: Any


def creation_from_body(body: bytes) -> service_pb.CreateJobRequest:
    """Read a job to accept."""
    sent = _object(body, {"job_type": str, "domain_id": str, "query": dict, "input": None})
    _check_query(sent["query"])
    given = _timing(sent["input"], sent["job_type"])
    if not given.images:
        raise InvalidInput(
            "this mesh does not fetch from domains yet: send the pictures in input.images, as a"
            " list of base64 texts, data URLs or objects with id, timestamp and data",
            code=NO_DATA,
        )
    asked = service_pb.CreateJobRequest(type=TIMING)
    asked.input.task_timing_v1.CopyFrom(given)
    kept = {name: sent[name] for name in _KEPT}
    keep(asked.client_data, kept | {"input": _without_pictures(sent["input"])})
    return asked


def revision_from_body(body: bytes) -> Revision:
    """Read what a retry brings; other keys mean nothing."""
    sent = _object(body, {"job_type": str, "input": None})
    return Revision(sent["job_type"], sent["input"])


def is_type_of(revision: Revision, job: pb.Job) -> bool:
    """Whether a retry names the type that the job was stored with."""
    return revision.job_type == job_type_of(job)


def retry_of(job: pb.Job, revision: Revision) -> service_pb.RetryJobRequest:
    """Write a retry of `job`. Without pictures it keeps those that it has."""
    asked = service_pb.RetryJobRequest(id=job.id)
    asked.input.task_timing_v1.CopyFrom(_timing(revision.input, revision.job_type))
    asked.client_data.CopyFrom(job.client_data)
    kept = {"job_type": revision.job_type, "input": _without_pictures(revision.input)}
    keep(asked.client_data, kept)
    return asked


def state_from_json(status: str) -> "pb.JobState | None":
    """Read a filter; an empty one stands for every state. None: no job is ever in it."""
    if not status:
        return pb.JOB_STATE_UNSPECIFIED
    if status in _NEVER:
        return None
    if status not in STATES:
        known = ", ".join((*STATES, *_NEVER))
        raise InvalidInput(f"there is no status {_short(status)}", remedy=f"use one of {known}")
    return STATES[status]


def may_exist(job_type: str) -> bool:
    """Whether there can be jobs of a type; an empty one stands for every type."""
    return not job_type or job_type in job_input_pb2.JobInput.DESCRIPTOR.fields_by_name


def fields_renamed(text: str) -> str:
    """Name the fields in a room's message as vlm-node's clients know them."""
    for ours, theirs in (
        (f"input.{TIMING}.image_prompt", "input.vlm_prompt"),
        (f"input.{TIMING}.task", "input.prompt"),
        (f"input.{TIMING}.", "input."),
        ("client_data:", "query and input, but for the pictures:"),
    ):
        text = text.replace(ours, theirs)
    return text


def _object(body: bytes, wanted: dict[str, type | None]) -> dict[str, Any]:
    try:
        sent = json.loads(body, parse_constant=_no_constant)
        if b"\\ud" in body.lower():
            # A half of a surrogate pair is JSON, but no text that the contract can carry.
            json.dumps(sent, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as wrong:
        problem = str(wrong) if isinstance(wrong, json.JSONDecodeError) else "it is no JSON"
        raise InvalidInput(f"Json deserialize error: {problem}") from None
    if not isinstance(sent, dict):
        raise InvalidInput("Json deserialize error: the body must be an object")
    for name, kind in wanted.items():
        if name not in sent:
            raise InvalidInput(f"Json deserialize error: missing field `{name}`")
        if kind is not None and not isinstance(sent[name], kind):
            called = "a string" if kind is str else "an object"
            raise InvalidInput(f"Json deserialize error: `{name}` must be {called}")
    return sent


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _check_query(query: dict[str, Any]) -> None:
    ids = query.get("ids")
    if not isinstance(ids, list) or not all(isinstance(it, str) for it in ids):
        raise InvalidInput("query.ids must be a list of strings", code=BAD_QUERY)
    for name in ("name", "data_type"):
        if not isinstance(query.get(name), str | None):
            raise InvalidInput(f"query.{name} must be a string", code=BAD_QUERY)


def _timing(sent: Any, row_type: str) -> job_input_pb2.TaskTimingInput:
    if not isinstance(sent, dict):
        raise InvalidInput.field("input", "must be an object")
    # vlm-node's worker looks at the type in the input first.
    kind = sent.get("job_type") or row_type
    if kind not in TYPES:
        known = ", ".join(TYPES)
        raise InvalidInput(f"there is no job type {_short(kind)}", remedy=f"use one of {known}")
    images = sent.get("images") or []
    if not isinstance(images, list):
        raise InvalidInput.field("input.images", "must be a list")
    return job_input_pb2.TaskTimingInput(
        task=_prompt(sent, "prompt", "say which task to look for"),
        image_prompt=_prompt(sent, "vlm_prompt", "say what to ask of each picture"),
        images=[image_from_json(it, f"input.images[{index}]") for index, it in enumerate(images)],
    )


def _prompt(sent: dict[str, Any], name: str, remedy: str) -> str:
    text = sent.get(name)
    if not isinstance(text, str) or not text:
        raise InvalidInput.field(f"input.{name}", "must be a text that is not empty", remedy=remedy)
    return text


def _without_pictures(sent: dict[str, Any]) -> dict[str, Any]:
    if "images" not in sent:
        return sent
    told = [
        {key: it[key] for key in it if key != "data"} if isinstance(it, dict) else {}
        for it in sent["images"] or []
    ]
    return sent | {"images": told}


def _short(value: Any) -> str:
    return json.dumps(value)[:80]
