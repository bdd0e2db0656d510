"""The shapes in which clients of vlm-node write and read. What they attach in `input` and `query`
comes back to them to the letter, so these only check it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

Status = Literal[
    "pending",
    "running",
    "completing",
    "uploading",
    "completed",
    "failed",
    "cancelling",
    "cancelled",
]
"""Every status that vlm-node names. The mesh keeps no job in `completing` or `uploading`."""


class Picture(BaseModel):
    """A picture of a job, with what is known of it."""

    data: str = Field(description="base64, a data URL or an address")
    id: str = ""
    name: str = ""
    timestamp: str = Field(default="", description="RFC 3339 or YYYYMMDD_HHMMSS")


class Query(BaseModel):
    """Which data of a domain a job is about; no ids stand for all."""

    ids: Annotated[list[str], Field(max_length=512, fail_fast=True)]
    name: str | None = None
    data_type: str | None = None


class Input(BaseModel):
    """What to do. Without `images` they are fetched from the domain that the job names."""

    job_type: str | None = Field(default=None, description="as the job's own, where it is sent")
    vlm_prompt: str = Field(min_length=1, description="what to ask of each picture")
    prompt: str = Field(default="", description="the task to look for; needed by task_timing_v1")
    webhook_url: str | None = Field(default=None, description="whom to tell; empty for nobody")
    images: list[Any] | None = Field(
        default=None, json_schema_extra={"items": {"anyOf": [{"type": "string"}, {}]}}
    )


class Creation(BaseModel):
    """A job to accept."""

    job_type: str = Field(description="`task_timing_v1` or `vlm_only`")
    domain_id: str
    query: Query
    input: Input


class Revision(BaseModel):
    """A retry: the type that the job has, and a new input. Other keys mean nothing."""

    job_type: str
    input: Input


class Page(BaseModel):
    """Which jobs to list."""

    limit: int = Field(ge=0, le=10_000)
    offset: int = Field(default=0, ge=0, le=2**31 - 1)
    status: Status | None = None
    job_type: str | None = None


class Failure(BaseModel):
    """Why a job failed: 400 for what it was given, 100 for its work."""

    code: int
    message: str


class Job(BaseModel):
    """A job and what came of it; the output's keys depend on its type."""

    id: str
    status: Status
    created_at: str
    updated_at: str
    domain_id: str
    query: dict[str, Any]
    hash: str
    input: Any
    output: dict[str, Any] | None
    error: Failure | None
    job_type: str
