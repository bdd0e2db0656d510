"""The one way in which a job that lives changes: a statement that finds rows of the queue and says
what becomes of each, and then, the same for all of them, moves the rows, tells the events, puts
webhooks into the outbox and rings the bells, all or nothing.
"""

from typing import Final

from sqlalchemy import TextClause, text

from services.jobs.domain import JobState

CHANNEL: Final = "jobs"
"""What is rung here and listened to by `listener`: one notice for each statement, with the ids of
the jobs and the topics in it, apart by spaces."""
MOST_TOLD: Final = 200
"""So many ids fit into the 8000 bytes of a notice."""
EVERYTHING: Final = "*"
"""Rung where more has changed than a notice can tell."""
WORK: Final = "work"
"""A job may be claimed."""
CANCEL: Final = "cancel"
"""A running job is asked to stop."""
WEBHOOK: Final = "webhook"
"""A webhook may be sent."""

ENDS: Final = ", ".join(f"'{state}'" for state in JobState if state.is_terminal)

_IS_HELD_ON: Final = f"held.becomes IS DISTINCT FROM '{JobState.PENDING}'"

# Made of our own words alone, as all that follows. Times that are written down are not before those
# of any change that this one waited for.
_MOVED: Final = f"""
    ended AS (
        DELETE FROM job_queue AS queue USING held
        WHERE queue.id = held.id AND held.becomes IN ({ENDS})
        RETURNING queue.id, queue.tenant, queue.type, held.becomes AS state,
            queue.attempt - held.attempts_back AS attempt, queue.start_time,
            coalesce(held.done_steps, queue.done_steps) AS done_steps,
            coalesce(held.total_steps, queue.total_steps) AS total_steps,
            coalesce(held.current_step, queue.current_step) AS current_step,
            queue.last_sequence + 1 AS last_sequence, clock_timestamp() AS time,
            held.becomes AS kind, held.step, held.text, held.output, held.error, held.bell
    ), kept AS (
        UPDATE job_queue AS queue SET
            state = coalesce(held.becomes, queue.state),
            worker = CASE WHEN {_IS_HELD_ON} THEN queue.worker END,
            lease_expires = CASE WHEN {_IS_HELD_ON} THEN queue.lease_expires END,
            run_after = coalesce(now() + held.delay, queue.run_after),
            attempt = queue.attempt - held.attempts_back,
            charged_attempts = queue.charged_attempts - held.charged_back,
            done_steps = coalesce(held.done_steps, queue.done_steps),
            total_steps = coalesce(held.total_steps, queue.total_steps),
            current_step = coalesce(held.current_step, queue.current_step),
            last_sequence = queue.last_sequence + CASE WHEN held.kind IS NULL THEN 0 ELSE 1 END,
            update_time = clock_timestamp()
        FROM held WHERE queue.id = held.id
            AND (held.becomes IS NULL OR held.becomes NOT IN ({ENDS}))
        RETURNING queue.id, held.becomes, queue.done_steps, queue.total_steps, queue.current_step,
            queue.last_sequence, queue.update_time AS time, held.kind, held.step, held.result,
            held.text, held.error, held.bell
    ), job AS (
        UPDATE jobs SET
            state = ended.state, output = ended.output, error = ended.error,
            attempt = ended.attempt, done_steps = ended.done_steps,
            total_steps = ended.total_steps, current_step = ended.current_step,
            last_sequence = ended.last_sequence, update_time = ended.time,
            start_time = ended.start_time, end_time = ended.time
        FROM ended WHERE jobs.id = ended.id
        RETURNING jobs.id, jobs.webhook_url AS url, jobs.webhook_format AS format
    ), webhook AS (
        INSERT INTO webhook_deliveries (
            job_id, sequence, tenant, url, format, job_state, job_attempt, output, error,
            create_time, next_attempt_time
        )
        SELECT id, last_sequence, tenant, url, format, state, attempt, output, error, time, time
        FROM job JOIN ended USING (id) WHERE url IS NOT NULL
        RETURNING job_id
    ), tally AS (
        INSERT INTO job_tallies (tenant, type, state, jobs)
        SELECT tenant, type, state, count(*) FROM ended GROUP BY tenant, type, state
    ), waiting AS (
        UPDATE jobs SET error = kept.error
        FROM kept WHERE jobs.id = kept.id AND kept.becomes = '{JobState.PENDING}'
    ), step AS (
        INSERT INTO job_steps (job_id, key, result)
        SELECT id, step, CAST(result AS json) FROM kept WHERE result IS NOT NULL
    ), changed AS (
        SELECT id, done_steps, total_steps, current_step, last_sequence, time, kind, step, text,
            bell FROM ended
        UNION ALL
        SELECT id, done_steps, total_steps, current_step, last_sequence, time, kind, step, text,
            bell FROM kept
    )
"""  # noqa: S608

TOLD: Final = """
    event AS (
        INSERT INTO job_events (
            job_id, sequence, time, kind, step, text, done_steps, total_steps, current_step
        )
        SELECT id, last_sequence, time, kind, step, text, done_steps, total_steps, current_step
        FROM changed WHERE kind IS NOT NULL
    )
"""
"""Tells the events of the jobs that have `changed`."""

RUNG: Final = f"""
    CASE WHEN count(kind) > 0 THEN pg_notify('{CHANNEL}',
        CASE WHEN count(*) > {MOST_TOLD} THEN '{EVERYTHING}'
        ELSE concat_ws(' ', string_agg(DISTINCT bell, ' '),
            string_agg(CAST(id AS text), ' ') FILTER (WHERE kind IS NOT NULL)) END
    ) END AS rung
"""
"""Rings the bells of the jobs that have `changed`."""

# All that a change may say of a row; what it leaves out is nothing.
_COLUMNS: Final = {
    "kind": "CAST(NULL AS text)",
    "step": "''",
    "text": "''",
    "output": "CAST(NULL AS json)",
    "error": "CAST(NULL AS json)",
    "result": "CAST(NULL AS text)",
    "done_steps": "CAST(NULL AS integer)",
    "total_steps": "CAST(NULL AS integer)",
    "current_step": "CAST(NULL AS text)",
    "delay": "CAST(NULL AS interval)",
    "attempts_back": "0",
    "charged_back": "0",
    "bell": "CAST(NULL AS text)",
}


_IDS: Final = "array_agg(id)"


def change(found: str, *, becomes: str, ids: str = _IDS, **said: str) -> TextClause:
    """Make one statement of a change to jobs that live. It returns `ids`, those of the jobs.

    `found` is the FROM and all that follows it, with the rows as `queue`, locked. `becomes` is
    their new state, or NULL, and `said` is what else there is to say of them, all as SQL. A new
    state that is terminal is also the name of the event.
    """
    columns = ", ".join(f"{sql} AS {name}" for name, sql in {**_COLUMNS, **said}.items())
    return changed(
        f"held AS MATERIALIZED (SELECT queue.id, {becomes} AS becomes, {columns} {found})", ids
    )


def changed(held: str, ids: str = _IDS) -> TextClause:
    """Make that statement of the expressions that find `held`."""
    # Made of our own words alone.
    return text(
        f"""
        WITH {held}, {_MOVED}, {TOLD} SELECT {ids} AS ids, {RUNG},
            (SELECT pg_notify('{CHANNEL}', '{WEBHOOK}') FROM webhook LIMIT 1) AS sent
        FROM changed
        """  # noqa: S608
    )
