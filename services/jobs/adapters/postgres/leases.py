"""Leases by the clock of the database: renewed by who holds them, taken from who gave no sign."""

from typing import Final

from sqlalchemy import TextClause, text

from services.jobs import record
from services.jobs.adapters.postgres.changes import WORK, change
from services.jobs.domain import JobError, JobEventKind, JobState

WORKER_DIED: Final = JobError(
    reason="WORKER_DIED",
    message="its worker died or froze at every attempt; look at the workers' logs, then retry it",
    retryable=True,
)
# So many at once, that their locks are held briefly; the rest follows at the next look.
_MOST: Final = 1000

# They are given in the order of ids, as in `writes`.
HEARTBEAT: Final[TextClause] = text(
    """
    WITH held AS MATERIALIZED (
        SELECT queue.id
        FROM unnest(CAST(:id AS uuid[]), CAST(:token AS integer[])) AS given(id, token)
        CROSS JOIN LATERAL (
            SELECT id FROM job_queue
            WHERE id = given.id AND token = given.token AND lease_expires IS NOT NULL
            FOR NO KEY UPDATE
        ) AS queue
    )
    UPDATE job_queue AS queue SET lease_expires = now() + :lease
    FROM held WHERE queue.id = held.id RETURNING queue.id, queue.state
    """
)
"""Renews leases. Returns the ids and states of those that were still held."""

_USED_UP: Final = "charged_attempts >= max_attempts"
# A colon would name a parameter.
_DIED: Final = record.dump_json(WORKER_DIED).replace("'", "''").replace(":", "\\:")

RECLAIM: Final[TextClause] = change(
    f"""
    FROM job_queue AS queue
    WHERE state IN ('{JobState.RUNNING}', '{JobState.CANCELLING}') AND lease_expires < now()
    LIMIT {_MOST} FOR NO KEY UPDATE SKIP LOCKED
    """,
    becomes=f"""
    CASE WHEN state = '{JobState.CANCELLING}' THEN '{JobState.CANCELLED}'
    WHEN {_USED_UP} THEN '{JobState.FAILED}' ELSE '{JobState.PENDING}' END
    """,
    kind=f"'{JobEventKind.LEASE_EXPIRED}'",
    text="'its worker''s lease ran out'",
    error=f"""
    CASE WHEN state <> '{JobState.CANCELLING}' AND {_USED_UP}
    THEN CAST('{_DIED}' AS json) END
    """,
    delay="interval '0'",
    bell=f"'{WORK}'",
)
"""Takes jobs from workers whose lease ran out: they wait again, or end as they must."""
