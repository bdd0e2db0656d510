"""How jobs are handed out: one statement, whose text is ready, for it is run whenever anything is
heard of.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.sql.elements import TextClause

from services.jobs.adapters.postgres.changes import CHANNEL, EVERYTHING, MOST_TOLD
from services.jobs.domain import JobEventKind, JobState

# The state is written out, so that the planner sees that the partial index will do.
CLAIMS: Final[TextClause] = text(
    # Made of our own words alone.
    f"""
    WITH due AS MATERIALIZED (
        SELECT id FROM jobs WHERE state = '{JobState.PENDING}' AND run_after <= now()
        ORDER BY priority DESC, run_after, id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE jobs SET
            state = '{JobState.RUNNING}',
            attempt = jobs.attempt + 1,
            charged_attempts = jobs.charged_attempts + 1,
            token = jobs.token + 1,
            worker = :worker,
            lease_expires = now() + :lease,
            start_time = coalesce(jobs.start_time, clock_timestamp()),
            last_sequence = jobs.last_sequence + 1,
            update_time = clock_timestamp()
        FROM due WHERE jobs.id = due.id
        RETURNING jobs.*
    ), event AS (
        INSERT INTO job_events (
            job_id, sequence, time, kind, step, text, done_steps, total_steps, current_step
        )
        SELECT id, last_sequence, clock_timestamp(), '{JobEventKind.CLAIMED}', '',
            'by ' || worker, done_steps, total_steps, current_step
        FROM changed
    )
    SELECT changed.*, rung FROM changed CROSS JOIN (
        SELECT pg_notify(
            '{CHANNEL}',
            CASE WHEN count(*) > {MOST_TOLD} THEN '{EVERYTHING}'
            ELSE string_agg(CAST(id AS text), ' ') END
        ) AS rung FROM changed HAVING count(*) > 0
    ) AS once
    """  # noqa: S608
)
"""Takes up jobs. Returns their rows."""
