"""New jobs, many in one statement: rows, first events and one notice for all of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.sql.elements import TextClause

from services.jobs import record
from services.jobs.adapters.postgres import arrays
from services.jobs.adapters.postgres.changes import CHANNEL, WORK
from services.jobs.content import Blob
from services.jobs.domain import JobEventKind, JobId, NewJob

# `given` is in the order of request ids: two statements that bring the same ones do not wait for
# each other. A job that was known already is not among those returned.
CREATES: Final[TextClause] = text(
    # Made of our own words alone.
    f"""
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:id AS uuid[]), CAST(:tenant AS text[]), CAST(:type AS text[]),
            CAST(:priority AS smallint[]), CAST(:run_after AS timestamptz[]),
            CAST(:request_id AS text[]), CAST(:input AS text[]), CAST(:client_data AS text[]),
            CAST(:trace AS text[]), CAST(:webhook_url AS text[]),
            CAST(:webhook_format AS text[])
        ) AS given(
            id, tenant, type, priority, run_after, request_id, input, client_data, trace,
            webhook_url, webhook_format
        )
    ), created AS (
        INSERT INTO jobs (
            id, tenant, type, priority, run_after, request_id, input, client_data, trace,
            webhook_url, webhook_format, create_time, update_time
        )
        SELECT id, tenant, type, priority, run_after, request_id, CAST(input AS json),
            CAST(client_data AS json), coalesce(trace, ''), webhook_url, webhook_format,
            clock_timestamp(), clock_timestamp()
        FROM given
        ON CONFLICT (tenant, request_id) WHERE request_id IS NOT NULL DO NOTHING
        RETURNING id, tenant, type, priority, run_after, create_time, update_time
    ), queued AS (
        INSERT INTO job_queue (
            id, tenant, type, priority, run_after, waiting_since, update_time
        )
        SELECT id, tenant, type, priority, greatest(run_after, now()), now(), update_time
        FROM created
    ), event AS (
        INSERT INTO job_events (
            job_id, sequence, time, kind, step, text, done_steps, total_steps, current_step
        )
        SELECT id, 1, create_time, '{JobEventKind.CREATED}', '', '', 0, 0, '' FROM created
    ), blob AS (
        INSERT INTO job_blobs (job_id, key, media_type, data)
        SELECT of_job.id, key, media_type, data FROM unnest(
            CAST(:blob_id AS uuid[]), CAST(:blob_key AS text[]), CAST(:blob_type AS text[]),
            CAST(:blob_data AS bytea[])
        ) AS of_job(id, key, media_type, data) JOIN created ON created.id = of_job.id
    ), holding AS (
        INSERT INTO job_media (job_id, key, media_id)
        SELECT of_job.id, key, media_id FROM unnest(
            CAST(:held_id AS uuid[]), CAST(:held_key AS text[]), CAST(:held_media AS text[])
        ) AS of_job(id, key, media_id) JOIN created ON created.id = of_job.id
    )
    SELECT id, create_time, update_time, rung FROM created CROSS JOIN (
        SELECT pg_notify('{CHANNEL}', '{WORK}') AS rung FROM created HAVING count(*) > 0
    ) AS once
    """  # noqa: S608
)
"""Keeps new jobs. Returns the ids and times of those that were not known yet."""


@dataclass(frozen=True)
class Creation:
    """A new job with the id that it is to have."""

    id: JobId
    new: NewJob

    @property
    def key(self) -> tuple[str, object]:
        """What two creations must not have in common in one statement."""
        return self.new.tenant, self.new.request_id or self.id

    @property
    def weight(self) -> int:
        """The bytes that come with it."""
        return sum(len(blob.data) for blob in self.new.blobs)


def columns(creations: Sequence[Creation], blobs: Sequence[tuple[JobId, Blob]]) -> dict[str, Any]:
    """Turn creations into the parameters of `CREATES`."""
    ordered = sorted(creations, key=lambda it: (it.new.tenant, it.new.request_id or ""))
    new = [it.new for it in ordered]
    held = [(it.id, holding) for it in ordered for holding in it.new.media]
    return {
        "id": arrays.ids([it.id for it in ordered]),
        "tenant": arrays.texts([it.tenant for it in new]),
        "type": arrays.texts([it.type for it in new]),
        "priority": arrays.numbers([it.priority for it in new]),
        "run_after": arrays.times([it.run_after for it in new]),
        "request_id": arrays.texts([it.request_id for it in new]),
        "input": arrays.texts([record.dump_json(it.input) for it in new]),
        "client_data": arrays.texts([_json(it.client_data) for it in new]),
        "trace": arrays.texts([it.trace or None for it in new]),
        "webhook_url": arrays.texts([it.webhook.url if it.webhook else None for it in new]),
        "webhook_format": arrays.texts([it.webhook.format if it.webhook else None for it in new]),
        "blob_id": arrays.ids([job_id for job_id, _ in blobs]),
        "blob_key": arrays.texts([blob.key for _, blob in blobs]),
        "blob_type": arrays.texts([blob.media_type for _, blob in blobs]),
        "blob_data": [blob.data for _, blob in blobs],
        "held_id": arrays.ids([job_id for job_id, _ in held]),
        "held_key": arrays.texts([it.key for _, it in held]),
        "held_media": arrays.texts([it.media_id for _, it in held]),
    }


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
