"""Rows as values of the domain. Total, and without I/O."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from services.jobs import record
from services.jobs.content import INPUTS, OUTPUTS, JobType
from services.jobs.domain import (
    Claim,
    Job,
    JobError,
    JobEvent,
    JobEventKind,
    JobId,
    JobState,
    NewJob,
    Progress,
)
from services.jobs.webhooks.webhook import Webhook, WebhookFormat


def job_from_row(row: Row[Any]) -> Job:
    """Read a snapshot of a job."""
    kind = JobType(row.type)
    return Job(
        id=JobId(row.id),
        tenant=row.tenant,
        type=kind,
        state=JobState(row.state),
        create_time=row.create_time,
        update_time=row.update_time,
        start_time=row.start_time,
        end_time=row.end_time,
        attempt=row.attempt,
        progress=_progress(row),
        input=record.load(INPUTS[kind], row.input),
        output=None if row.output is None else record.load(OUTPUTS[kind], row.output),
        error=None if row.error is None else record.load(JobError, row.error),
        client_data=row.client_data,
        last_sequence=row.last_sequence,
        priority=row.priority,
        run_after=row.run_after,
        webhook=row.webhook_url and Webhook(row.webhook_url, WebhookFormat(row.webhook_format)),
    )


def new_job(job_id: JobId, new: NewJob, row: Row[Any]) -> Job:
    """Make a job that was just kept; the row tells when."""
    return Job(
        id=job_id,
        tenant=new.tenant,
        type=new.type,
        state=JobState.PENDING,
        create_time=row.create_time,
        update_time=row.update_time,
        start_time=None,
        end_time=None,
        attempt=0,
        progress=Progress(),
        input=new.input,
        output=None,
        error=None,
        client_data=new.client_data,
        last_sequence=1,
        priority=new.priority,
        run_after=new.run_after,
        webhook=new.webhook,
    )


def claim_from_row(row: Row[Any]) -> Claim:
    """Read a row that `CLAIMS` returned."""
    kind = JobType(row.type)
    return Claim(
        id=JobId(row.id),
        tenant=row.tenant,
        type=kind,
        input=record.load_json(INPUTS[kind], row.input),
        attempt=row.attempt,
        token=row.token,
        attempts_left=row.attempts_left,
        waiting_since=row.waiting_since,
        trace=row.trace,
    )


def events_from_rows(rows: Sequence[Row[Any]]) -> list[JobEvent]:
    """Read rows of `job_events`."""
    return [
        JobEvent(
            sequence=row.sequence,
            time=row.time,
            kind=JobEventKind(row.kind),
            step=row.step,
            text=row.text,
            progress=_progress(row),
        )
        for row in rows
    ]


def _progress(row: Row[Any]) -> Progress:
    return Progress(row.done_steps, row.total_steps, row.current_step)
