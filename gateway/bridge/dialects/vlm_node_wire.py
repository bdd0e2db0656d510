"""What clients of vlm-node send, read into the contract. Total, and without I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from mesh.jobs.v1 import job_input_pb2
from mesh.jobs.v1 import job_pb2 as pb
from mesh.jobs.v1 import job_service_pb2 as service_pb
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.bridge.dialects.vlm_node_shapes import Creation, Input, Page, Query, Revision
from gateway.bridge.pictures import image_from_json
from services.chassis.errors import InvalidInput
from services.dialects.vlm_node import STATES, TIMING, job_type_of, keep

VLM_ONLY: Final = "vlm_only"
TYPES: Final = (TIMING, VLM_ONLY)
NO_DATA: Final = "NO_DATA"
BAD_QUERY: Final = "BAD_QUERY"
WORDS: Final = {NO_DATA: "No data found", BAD_QUERY: "Failed to parse query"}
"""vlm-node's own words for a cause."""

Shape = TypeVar("Shape", bound=BaseModel)

_KEPT: Final = ("job_type", "domain_id", "query", "input")


@dataclass(frozen=True)
class Retry:
    """What a retry brings."""

    revision: Revision
    kept: dict[str, Any]
    """What of it comes back to the client to the letter."""


def creation_from_body(body: bytes) -> service_pb.CreateJobRequest:
    """Read a job to accept."""
    read = _json(body)
    sent = _shaped(Creation, read)
    given = _input_to_pb(sent.input, sent.job_type)
    kind = given.WhichOneof("input")
    named = getattr(given, kind)
    if not named.images:
        named.domain.CopyFrom(_domain(sent.domain_id, sent.query))
    asked = service_pb.CreateJobRequest(type=kind, input=given)
    asked.webhook.CopyFrom(_webhook(sent.input))
    keep(asked.client_data, _kept({name: read[name] for name in _KEPT}))
    return asked


def retry_from_body(body: bytes) -> Retry:
    """Read what a retry brings; other keys mean nothing."""
    read = _json(body)
    revision = _shaped(Revision, read)
    return Retry(revision, _kept({name: read[name] for name in ("job_type", "input")}))


def is_type_of(retry: Retry, job: pb.Job) -> bool:
    """Whether a retry names the type that the job was stored with."""
    return retry.revision.job_type == job_type_of(job)


def retry_to_pb(job: pb.Job, retry: Retry) -> service_pb.RetryJobRequest:
    """Write a retry of `job`. Without pictures it keeps those that it has, or fetches its own."""
    asked = service_pb.RetryJobRequest(id=job.id)
    given = _input_to_pb(retry.revision.input, retry.revision.job_type)
    named, before = (getattr(it, str(given.WhichOneof("input"))) for it in (given, job.input))
    if not named.images and before.HasField("domain"):
        named.domain.CopyFrom(before.domain)
    asked.input.CopyFrom(given)
    asked.webhook.CopyFrom(_webhook(retry.revision.input))
    asked.client_data.CopyFrom(job.client_data)
    keep(asked.client_data, retry.kept)
    return asked


def page_from_query(query: Mapping[str, str]) -> Page:
    """Read which jobs to list; an empty value counts as none."""
    try:
        return Page.model_validate({name: value for name, value in query.items() if value})
    except ValidationError as wrong:
        told = _problem(wrong.errors(include_url=False)[0])
        raise InvalidInput(f"Query deserialize error: {told}") from None


def listing_of(page: Page) -> service_pb.ListJobsRequest | None:
    """Write what to list, but for how much of it. None: there can be no such job."""
    if page.status not in (None, *STATES):
        return None
    kind = page.job_type or ""
    if kind and kind not in job_input_pb2.JobInput.DESCRIPTOR.fields_by_name:
        return None
    state = STATES[page.status] if page.status else pb.JOB_STATE_UNSPECIFIED
    return service_pb.ListJobsRequest(skip=page.offset, type=kind, state=state)


FIELDS: Final = {
    f"input.{TIMING}.image_prompt": "input.vlm_prompt",
    f"input.{TIMING}.task": "input.prompt",
    f"input.{VLM_ONLY}.prompt": "input.vlm_prompt",
    **{
        f"input.{kind}.domain.{ours}": theirs
        for kind in TYPES
        for ours, theirs in (
            ("domain_id", "domain_id"),
            ("ids", "query.ids"),
            ("name", "query.name"),
            ("data_type", "query.data_type"),
        )
    },
    **{f"input.{kind}.domain:": "domain_id:" for kind in TYPES},
    **{f"input.{kind}.": "input." for kind in TYPES},
    "webhook.url": "input.webhook_url",
    "client_data:": "query and input, but for the pictures:",
}
"""What vlm-node's clients call the fields that a room's message names."""


def _json(body: bytes) -> Any:
    try:
        read = json.loads(body, parse_constant=_no_constant)
        if b"\\ud" in body.lower():
            # A half of a surrogate pair is JSON, but no text that the contract can carry.
            json.dumps(read, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as wrong:
        problem = str(wrong) if isinstance(wrong, json.JSONDecodeError) else "it is no JSON"
        raise InvalidInput(f"Json deserialize error: {problem}") from None
    return read


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _shaped(shape: type[Shape], read: Any) -> Shape:
    try:
        return shape.model_validate(read)
    except ValidationError as wrong:
        found = wrong.errors(include_url=False, include_context=False, include_input=False)
        raise _mistake(found[0]) from None


def _mistake(found: ErrorDetails) -> InvalidInput:
    inside_query = found["loc"][:1] == ("query",) and len(found["loc"]) > 1
    if inside_query:
        return InvalidInput(_problem(found), code=BAD_QUERY)
    return InvalidInput(f"Json deserialize error: {_problem(found)}")


def _problem(found: ErrorDetails) -> str:
    path = ".".join(map(str, found["loc"]))
    match found["type"]:
        case "missing":
            return f"missing field `{path}`"
        case "model_type":
            return f"{path or 'the body'} must be an object"
        case _:
            return f"{path}: {found['msg']}"


def _input_to_pb(sent: Input, row_type: str) -> job_input_pb2.JobInput:
    kind = _type(sent.job_type or "", row_type)
    images = [
        image_from_json(it, f"input.images[{index}]") for index, it in enumerate(sent.images or [])
    ]
    if kind == VLM_ONLY:
        only = job_input_pb2.VlmOnlyInput(prompt=sent.vlm_prompt, images=images)
        return job_input_pb2.JobInput(vlm_only=only)
    if not sent.prompt:
        raise InvalidInput.field("input.prompt", "is missing", remedy="say which task to look for")
    timing = job_input_pb2.TaskTimingInput(
        task=sent.prompt, image_prompt=sent.vlm_prompt, images=images
    )
    return job_input_pb2.JobInput(task_timing_v1=timing)


def _type(inside: str, row: str) -> str:
    # vlm-node kept the one and ran the other: its clients send both, or leave one out.
    if inside and row and inside != row:
        raise InvalidInput(
            f"job_type is {_short(row)} and input.job_type is {_short(inside)}",
            remedy="make them agree, or leave out input.job_type",
        )
    kind = inside or row
    if kind not in TYPES:
        known = ", ".join(TYPES)
        raise InvalidInput(f"there is no job type {_short(kind)}", remedy=f"use one of {known}")
    return kind


def _domain(domain_id: str, query: Query) -> job_input_pb2.DomainQuery:
    if not domain_id:
        raise InvalidInput(
            "the job names no domain and holds no pictures: set domain_id, or send the pictures in"
            " input.images, as a list of base64 texts, data URLs, addresses or objects with id,"
            " timestamp and data",
            code=NO_DATA,
        )
    return job_input_pb2.DomainQuery(
        domain_id=domain_id,
        ids=query.ids,
        name=query.name or "",
        data_type=query.data_type or "",
    )


def _webhook(sent: Input) -> pb.Webhook:
    return pb.Webhook(url=sent.webhook_url or "", format=pb.WEBHOOK_FORMAT_VLM_NODE)


def _kept(sent: dict[str, Any]) -> dict[str, Any]:
    if "images" not in sent["input"]:
        return sent
    told = [
        {key: it[key] for key in it if key != "data"} if isinstance(it, dict) else {}
        for it in sent["input"]["images"] or []
    ]
    return sent | {"input": sent["input"] | {"images": told}}


def _short(value: str) -> str:
    return json.dumps(value)[:80]
