"""The queue of the caption queue API: a picture is taken at once and captioned later, its caption
asked for or sent to a webhook. A bad picture is refused at once, which there was taken and failed.

It is the job type `caption_v1` of the contract. A job that was cancelled, which no client of the
queue can do, has failed for them: they wait for `completed` or `failed`.
"""

from typing import Final
from uuid import UUID

from mesh.jobs.v1 import job_input_pb2, job_pb2
from mesh.jobs.v1 import job_service_pb2 as pb
from mesh.types.v1 import image_pb2
from pydantic import BaseModel, Field

from gateway.bridge.dialects import fastapi
from gateway.bridge.exchange import Ask, Conversation, Request, Response, Route
from gateway.bridge.pictures import picture_from_text
from services.chassis import errors
from services.dialects import caption_queue as jobs

TYPE: Final = "caption_v1"
PROMPT: Final = "Describe what you see in this image"
FULL: Final = "Queue is full, please try again later"
SENDABLE: Final = "send the picture as base64 or as a data URL"

QUEUED, PROCESSING, COMPLETED, FAILED = "queued", "processing", "completed", "failed"
_MESSAGES: Final = {
    QUEUED: "Job is waiting in queue",
    PROCESSING: "Job is being processed",
    COMPLETED: "Job completed successfully",
    FAILED: "Job failed",
}


class Captioned(BaseModel):
    """A picture to caption."""

    image_data: str = Field(description="base64 or a data URL")
    webhook_url: str | None = None
    prompt: str = Field(default=PROMPT, min_length=1, max_length=8192)


class Queued(BaseModel):
    """An accepted job; the time is local and without a zone."""

    job_id: str
    status: str
    message: str
    created_at: str


class Result(BaseModel):
    """A caption; its time is in seconds."""

    caption: str
    processing_time: float


class Job(Queued):
    """A job and what came of it."""

    completed_at: str | None
    result: Result | None
    error_message: str | None


class Stats(BaseModel):
    """How many jobs there are."""

    total_jobs: int
    active_jobs: int
    queue_size: int
    status_counts: dict[str, int]


def generate(request: Request) -> Conversation:
    """Take a picture to be captioned."""
    sent = fastapi.body_of(Captioned, request)
    image = image_pb2.Image(data=picture_from_text(sent.image_data, "image_data", remedy=SENDABLE))
    given = job_input_pb2.CaptionInput(prompt=sent.prompt, images=[image])
    asked = pb.CreateJobRequest(type=TYPE, input=job_input_pb2.JobInput(caption_v1=given))
    if sent.webhook_url:
        asked.webhook.url = sent.webhook_url
        asked.webhook.format = job_pb2.WEBHOOK_FORMAT_CAPTION_QUEUE
    try:
        created: pb.CreateJobResponse = yield Ask("JobService", "CreateJob", asked)
    except errors.Exhausted as full:
        return fastapi.refuse(full, FULL)
    return fastapi.told(_queued(created.job))


def read(request: Request) -> Conversation:
    """Tell of a job."""
    try:
        job_id = str(UUID(request.path["job_id"]))
        found: pb.GetJobResponse = yield Ask("JobService", "GetJob", pb.GetJobRequest(id=job_id))
    except (ValueError, errors.NotFound):
        return _not_found()
    return fastapi.told(job_to_shape(found.job)) if found.job.type == TYPE else _not_found()


def stats(request: Request) -> Conversation:
    """Count the jobs."""
    told: pb.GetQueueStatsResponse = yield Ask(
        "JobService", "GetQueueStats", pb.GetQueueStatsRequest()
    )
    counts = dict.fromkeys((QUEUED, PROCESSING, COMPLETED, FAILED), 0)
    for count in told.counts:
        if count.type == TYPE:
            counts[jobs.STATUSES[count.state]] += count.jobs
    return fastapi.told(
        Stats(
            total_jobs=sum(counts.values()),
            active_jobs=counts[PROCESSING],
            queue_size=counts[QUEUED],
            status_counts=counts,
        )
    )


def job_to_shape(job: job_pb2.Job) -> Job:
    """Write a job."""
    done = job.state == job_pb2.JOB_STATE_COMPLETED
    result = jobs.result_to_json(job)
    return Job(
        **_queued(job).model_dump(),
        completed_at=jobs.time_to_json(job.end_time) if done else None,
        result=None if result is None else Result(**result),
        error_message=jobs.error_message_of(job),
    )


def _queued(job: job_pb2.Job) -> Queued:
    status = jobs.STATUSES[job.state]
    return Queued(
        job_id=job.id,
        status=status,
        message=_MESSAGES[status],
        created_at=jobs.time_to_json(job.create_time),
    )


def _not_found() -> Response:
    return fastapi.refuse(errors.NotFound("Job not found"))


ROUTES: Final = (
    Route("POST", "/caption/generate", generate, told=Queued, body=Captioned),
    Route("GET", "/caption/job/{job_id}", read, told=Job),
    Route("GET", "/caption/stats", stats, told=Stats),
)
