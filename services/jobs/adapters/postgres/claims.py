"""How jobs are handed out: one statement, run whenever anything is heard of."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.sql.elements import TextClause

from services.jobs.adapters.postgres.changes import RUNG, TOLD
from services.jobs.content import JobType
from services.jobs.domain import JobEventKind, JobState

# A newer room may have taken in types that this worker does not know: they are left to newer ones.
_KNOWN: Final = ", ".join(f"'{it}'" for it in JobType)
_DUE: Final = f"state = '{JobState.PENDING}' AND run_after <= now() AND type IN ({_KNOWN})"
_TURN: Final = "priority DESC, run_after, id"

# Made of our own words alone, as all that follows.
_CLAIMED: Final = f"""
    claimed AS (
        UPDATE job_queue AS queue SET
            state = '{JobState.RUNNING}',
            attempt = queue.attempt + 1,
            charged_attempts = queue.charged_attempts + 1,
            token = queue.last_sequence + 1,
            worker = :worker,
            lease_expires = now() + :lease,
            start_time = coalesce(queue.start_time, clock_timestamp()),
            last_sequence = queue.last_sequence + 1,
            update_time = clock_timestamp()
        FROM due WHERE queue.id = due.id
        RETURNING queue.*
    ), changed AS (
        SELECT id, done_steps, total_steps, current_step, last_sequence, update_time AS time,
            '{JobEventKind.CLAIMED}' AS kind, '' AS step, 'by ' || worker AS text,
            CAST(NULL AS text) AS bell
        FROM claimed
    ), {TOLD}
    SELECT id, claimed.tenant, claimed.type, CAST(jobs.input AS text) AS input, claimed.attempt,
        claimed.token, claimed.max_attempts - claimed.charged_attempts AS attempts_left,
        claimed.waiting_since, jobs.trace, (SELECT {RUNG} FROM changed) AS rung
    FROM claimed JOIN jobs USING (id)
"""  # noqa: S608

CLAIMS: Final[TextClause] = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT id FROM job_queue WHERE {_DUE}
        ORDER BY {_TURN} LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    ), {_CLAIMED}
    """  # noqa: S608
)
"""Takes up jobs. Returns them."""

_LOCK: Final = 7_206_113_002
"""The advisory lock of whoever claims under limits."""

TURN: Final[TextClause] = text(f"SELECT pg_advisory_xact_lock({_LOCK})")
"""Waits for the others that claim under limits."""

LIMITED_CLAIMS: Final[TextClause] = text(
    f"""
    WITH room AS MATERIALIZED (
        SELECT limited.type, least(limited.now, limited.most - (
            SELECT count(*) FROM job_queue AS queue
            WHERE queue.type = limited.type
                AND queue.state IN ('{JobState.RUNNING}', '{JobState.CANCELLING}')
        )) AS free
        FROM unnest(
            CAST(:limited AS text[]), CAST(:most AS integer[]), CAST(:now AS integer[])
        ) AS limited(type, most, now)
    ), next AS MATERIALIZED (
        SELECT id, type, priority, run_after FROM job_queue
        WHERE {_DUE} AND type <> ALL (ARRAY(SELECT room.type FROM room WHERE room.free <= 0))
        ORDER BY {_TURN} LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    ), due AS MATERIALIZED (
        SELECT id FROM (
            SELECT id, type, row_number() OVER (PARTITION BY type ORDER BY {_TURN}) AS place
            FROM next
        ) AS placed LEFT JOIN room USING (type) WHERE free IS NULL OR place <= free
    ), {_CLAIMED}
    """  # noqa: S608
)
"""Takes up jobs, of the `limited` types no more than `now`, and no more than `most` at once over
all workers; for the sake of that, `TURN` comes before it in the same transaction. Returns them.
"""
