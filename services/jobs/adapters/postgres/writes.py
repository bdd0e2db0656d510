"""What workers write about the jobs they hold: many writes in one statement, each fenced by its own
token. It has the same parts as a change in `changes`, over arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.sql.elements import TextClause

from services.jobs.adapters.postgres.changes import CHANNEL, EVERYTHING, MOST_TOLD
from services.jobs.domain import Claim, JobEventKind, JobState, Progress


@dataclass(frozen=True)
class Write:
    """A change that a worker makes to a job that it holds; None leaves a column as it is."""

    id: Any = field(metadata={"type": "uuid"})
    token: int = field(metadata={"type": "bigint"})
    kind: str | None = field(default=None, metadata={"type": "text"})
    """The event, unless the job comes to an end. None: there is no event."""
    state: str | None = field(default=None, metadata={"type": "text"})
    """The state in which the worker lets go of the job. None: it holds on to it."""
    output: str | None = field(default=None, repr=False, metadata={"type": "text"})
    error: str | None = field(default=None, repr=False, metadata={"type": "text"})
    step: str = field(default="", metadata={"type": "text"})
    result: str | None = field(default=None, repr=False, metadata={"type": "text"})
    """What is recorded of the step. None: nothing."""
    text: str = field(default="", repr=False, metadata={"type": "text"})
    done_steps: int | None = field(default=None, metadata={"type": "integer"})
    total_steps: int | None = field(default=None, metadata={"type": "integer"})
    current_step: str | None = field(default=None, metadata={"type": "text"})
    delay: timedelta | None = field(default=None, metadata={"type": "interval"})
    attempts_back: int = field(default=0, metadata={"type": "integer"})
    charged_back: int = field(default=0, metadata={"type": "integer"})
    bell: str | None = field(default=None, metadata={"type": "text"})


def write(
    claim: Claim, kind: JobEventKind | None, *, progress: Progress | None = None, **values: Any
) -> Write:
    """Make a write of a claim's holder."""
    if progress is not None:
        values |= {
            "done_steps": progress.done_steps,
            "total_steps": progress.total_steps,
            "current_step": progress.current_step,
        }
    # PostgreSQL keeps no NUL in a text, and a model may well write one.
    values["text"] = values.get("text", "").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return Write(id=claim.job.id, token=claim.token, kind=kind, **values)


def columns(writes: Sequence[Write]) -> dict[str, list[Any]]:
    """Turn writes into the parameters of `WRITES`."""
    return {it.name: [getattr(one, it.name) for one in writes] for it in fields(Write)}


_ARRAYS: Final = ", ".join(f"CAST(:{it.name} AS {it.metadata['type']}[])" for it in fields(Write))
_NAMES: Final = ", ".join(it.name for it in fields(Write))
_ENDS: Final = ", ".join(f"'{state}'" for state in JobState if state.is_terminal)

# `held` locks in the order of ids, as every statement over many held jobs does: no two of them wait
# for each other. A job has a lease as long as it is held; asked for its state, the planner would go
# through all the held ones. A terminal state is also the name of its event.
WRITES: Final[TextClause] = text(
    # Made of our own words alone.
    f"""
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest({_ARRAYS}) AS given({_NAMES})
    ), held AS MATERIALIZED (
        SELECT jobs.id FROM jobs JOIN given ON jobs.id = given.id AND jobs.token = given.token
        WHERE jobs.lease_expires IS NOT NULL ORDER BY jobs.id FOR NO KEY UPDATE OF jobs
    ), changed AS (
        UPDATE jobs SET
            state = CASE
                WHEN given.state IS NULL THEN jobs.state
                WHEN jobs.state = '{JobState.CANCELLING}' THEN '{JobState.CANCELLED}'
                ELSE given.state END,
            output = CASE
                WHEN given.state IS NULL THEN jobs.output
                WHEN jobs.state <> '{JobState.CANCELLING}' THEN CAST(given.output AS json) END,
            error = CASE
                WHEN given.state IS NULL THEN jobs.error
                WHEN jobs.state <> '{JobState.CANCELLING}' THEN CAST(given.error AS json) END,
            end_time = CASE
                WHEN given.state IN ({_ENDS}) OR jobs.state = '{JobState.CANCELLING}'
                    AND given.state IS NOT NULL THEN clock_timestamp() END,
            worker = CASE WHEN given.state IS NULL THEN jobs.worker END,
            lease_expires = CASE WHEN given.state IS NULL THEN jobs.lease_expires END,
            run_after = coalesce(now() + given.delay, jobs.run_after),
            attempt = jobs.attempt - given.attempts_back,
            charged_attempts = jobs.charged_attempts - given.charged_back,
            done_steps = coalesce(given.done_steps, jobs.done_steps),
            total_steps = coalesce(given.total_steps, jobs.total_steps),
            current_step = coalesce(given.current_step, jobs.current_step),
            last_sequence = jobs.last_sequence + CASE WHEN given.kind IS NULL THEN 0 ELSE 1 END,
            update_time = clock_timestamp()
        FROM held JOIN given ON given.id = held.id
        WHERE jobs.id = held.id AND jobs.token = given.token
        RETURNING jobs.id, jobs.state, jobs.last_sequence, jobs.done_steps, jobs.total_steps,
            jobs.current_step, given.kind, given.step, given.result, given.text, given.bell
    ), event AS (
        INSERT INTO job_events (
            job_id, sequence, time, kind, step, text, done_steps, total_steps, current_step
        )
        SELECT id, last_sequence, clock_timestamp(),
            CASE WHEN state IN ({_ENDS}) THEN state ELSE kind END,
            step, text, done_steps, total_steps, current_step
        FROM changed WHERE kind IS NOT NULL
    ), step AS (
        INSERT INTO job_steps (job_id, key, result)
        SELECT id, step, CAST(result AS json) FROM changed WHERE result IS NOT NULL
    )
    SELECT array_agg(id) AS ids,
        CASE WHEN count(kind) > 0 THEN pg_notify(
            '{CHANNEL}',
            CASE WHEN count(*) > {MOST_TOLD} THEN '{EVERYTHING}'
            ELSE concat_ws(' ', string_agg(DISTINCT bell, ' '),
                string_agg(CAST(id AS text), ' ') FILTER (WHERE kind IS NOT NULL)) END
        ) END AS rung
    FROM changed
    """  # noqa: S608
)
"""Makes many writes. Returns the ids of the jobs that were still held."""
