"""The REST calls of vlm-node: jobs at `/api/v1/jobs`, errors as plain text, in its own words where
it has them.
"""

from collections.abc import Generator
from typing import Any, Final
from uuid import UUID

from mesh.jobs.v1 import job_pb2
from mesh.jobs.v1 import job_service_pb2 as pb

from gateway.bridge.answers import json_response, renamed, retry_header, status_of
from gateway.bridge.dialects import vlm_node_shapes as shapes
from gateway.bridge.dialects import vlm_node_wire as wire
from gateway.bridge.exchange import (
    Ask,
    Conversation,
    Dialect,
    Request,
    Response,
    Route,
)
from services.chassis import errors
from services.dialects.vlm_node import job_to_json

PAGE: Final = 100
"""The jobs that are asked for at once."""


def create(request: Request) -> Conversation:
    """Accept a job."""
    try:
        created = yield Ask("JobService", "CreateJob", wire.creation_from_body(request.body))
        return json_response(job_to_json(created.job))
    except errors.MeshError as error:
        return refuse(error, "Failed to create job")


def list_jobs(request: Request) -> Conversation:
    """Tell of many jobs, the newest first."""
    try:
        page = wire.page_from_query(request.query)
        wanted = wire.listing_of(page)
        jobs = [] if wanted is None else (yield from _jobs(page.limit, wanted))
        return json_response([job_to_json(job) for job in jobs])
    except errors.MeshError as error:
        return refuse(error, "Failed to list jobs")


def read(request: Request) -> Conversation:
    """Tell of one job."""
    try:
        return json_response(job_to_json((yield from _job(request))))
    except errors.MeshError as error:
        return refuse(error, "Failed to get job")


def retry(request: Request) -> Conversation:
    """Send a job back to work with another input."""
    try:
        sent = wire.retry_from_body(request.body)
        job = yield from _job(request)
        if not wire.is_type_of(sent, job):
            return _text(400, "Job type mismatch")
        retried = yield Ask("JobService", "RetryJob", wire.retry_to_pb(job, sent))
        return json_response(job_to_json(retried.job))
    except errors.Precondition:
        return _text(400, "Only failed or cancelled jobs can be retried")
    except errors.MeshError as error:
        return refuse(error, "Failed to update job status")


def refuse(error: errors.MeshError, word: str = "") -> Response:
    """Tell of an error as vlm-node does: its word for what failed, then the reason."""
    if isinstance(error, errors.NotFound):
        return _text(404, "Job not found")
    status = status_of(error)
    told = renamed(str(error), wire.FIELDS)
    if status == 400:
        return _text(status, "\n".join(filter(None, (wire.WORDS.get(error.code), told))))
    return _text(status, f"{word}: {told}" if word else told, retry_header(error))


def _job(request: Request) -> Generator[Ask, Any, job_pb2.Job]:
    try:
        job_id = str(UUID(request.path["id"]))
    except ValueError:
        raise errors.NotFound("it is no UUID, so no job has it") from None
    found: pb.GetJobResponse = yield Ask("JobService", "GetJob", pb.GetJobRequest(id=job_id))
    return found.job


def _jobs(limit: int, first: pb.ListJobsRequest) -> Generator[Ask, Any, list[job_pb2.Job]]:
    jobs: list[job_pb2.Job] = []
    asked = pb.ListJobsRequest()
    asked.CopyFrom(first)
    while len(jobs) < limit:
        asked.page_size = min(PAGE, limit - len(jobs))
        page: pb.ListJobsResponse = yield Ask("JobService", "ListJobs", asked)
        jobs += page.jobs
        if not page.next_page_token:
            break
        asked = pb.ListJobsRequest(
            page_token=page.next_page_token, type=first.type, state=first.state
        )
    return jobs


def _text(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(text.encode(), "text/plain; charset=utf-8", status, headers or {})


DIALECT: Final = Dialect(
    name="vlm-node",
    routes=(
        Route("POST", "/api/v1/jobs", create, told=shapes.Job, body=shapes.Creation),
        Route("GET", "/api/v1/jobs", list_jobs, told=list[shapes.Job], query=shapes.Page),
        Route("GET", "/api/v1/jobs/{id}", read, told=shapes.Job),
        Route("PUT", "/api/v1/jobs/{id}", retry, told=shapes.Job, body=shapes.Revision),
    ),
    refuse=refuse,
    refusal=str,
)
