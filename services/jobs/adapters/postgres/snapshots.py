"""Jobs as clients see them: what is kept of a job, and over it, while it lives, what the queue
knows.
"""

from typing import Any, Final

from sqlalchemy import Select, TextClause, func, select, text

from services.jobs.adapters.postgres.changes import CHANNEL, TOLD, WORK
from services.jobs.adapters.postgres.tables import job_queue, jobs
from services.jobs.domain import JobEventKind, JobState

_LIVE: Final = (
    *("state", "attempt", "done_steps", "total_steps", "current_step", "last_sequence"),
    *("update_time", "start_time"),
)

SNAPSHOTS: Final[Select[Any]] = select(
    *(it for it in jobs.c if it.name not in _LIVE),
    *(func.coalesce(job_queue.c[name], jobs.c[name]).label(name) for name in _LIVE),
).join_from(jobs, job_queue, jobs.c.id == job_queue.c.id, isouter=True)
"""All jobs, to be narrowed down."""


def in_state(state: JobState) -> Select[Any]:
    """Return the jobs in one state."""
    where = jobs.c.state if state.is_terminal else job_queue.c.state
    return SNAPSHOTS.where(where == state)


RETRY: Final[TextClause] = text(
    # Made of our own words alone.
    f"""
    WITH sent AS (
        UPDATE jobs SET
            state = NULL, attempt = 0, output = NULL, error = NULL, end_time = NULL,
            input = coalesce(CAST(:input AS json), input),
            client_data = coalesce(CAST(:client_data AS json), client_data),
            webhook_url = nullif(coalesce(:webhook_url, webhook_url), ''),
            webhook_format = CASE :webhook_url
                WHEN '' THEN NULL ELSE coalesce(:webhook_format, webhook_format) END
        FROM (SELECT id, state FROM jobs WHERE id = :id FOR NO KEY UPDATE) AS before
        WHERE jobs.id = before.id AND tenant = :tenant AND before.state IS NOT NULL
            AND end_time = CAST(:end_time AS timestamptz)
        RETURNING jobs.*, before.state AS was
    ), changed AS (
        INSERT INTO job_queue (
            id, tenant, type, priority, run_after, waiting_since, done_steps, total_steps,
            current_step, last_sequence, update_time, start_time
        )
        SELECT id, tenant, type, priority, now(), now(),
            CASE WHEN :keeps_steps THEN done_steps ELSE 0 END,
            CASE WHEN :keeps_steps THEN total_steps ELSE 0 END,
            CASE WHEN :keeps_steps THEN current_step ELSE '' END,
            last_sequence + 1, clock_timestamp(), start_time
        FROM sent
        RETURNING *, update_time AS time, '{JobEventKind.RETRIED}' AS kind, '' AS step, '' AS text
    ), tally AS (
        INSERT INTO job_tallies (tenant, type, state, jobs)
        SELECT tenant, type, was, -1 FROM sent
    ), {TOLD}
    SELECT pg_notify('{CHANNEL}', '{WORK} ' || CAST(id AS text)) FROM changed
    """  # noqa: S608
)
"""Sends a job back to work, if it is at the same end as it was. Returns a row if so.

Events that change nothing of the job may have come since then: its webhook's.
"""
