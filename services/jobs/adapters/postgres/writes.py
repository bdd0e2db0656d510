"""What workers write about the jobs they hold: many writes in one statement, each fenced by its own
token.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import TextClause, text

from services.jobs.adapters.postgres import arrays
from services.jobs.adapters.postgres.changes import change
from services.jobs.domain import Claim, JobEventKind, JobId, JobState, Progress


class Write(NamedTuple):
    """A change that a worker makes to a job that it holds; None leaves a column as it is."""

    id: JobId
    token: int
    kind: str | None = None
    """The event, unless the job comes to an end. None: there is no event."""
    state: str | None = None
    """The state in which the worker lets go of the job. None: it holds on to it."""
    output: str | None = None
    error: str | None = None
    step: str | None = None
    result: str | None = None
    """What is recorded of the step. None: nothing."""
    text: str | None = None
    done_steps: int | None = None
    total_steps: int | None = None
    current_step: str | None = None
    delay: timedelta | None = None
    attempts_back: int | None = None
    charged_back: int | None = None
    bell: str | None = None


_TYPES: Final = {
    **dict.fromkeys(Write._fields, "text"),
    "id": "uuid",
    **dict.fromkeys(("token", "done_steps", "total_steps"), "integer"),
    **dict.fromkeys(("attempts_back", "charged_back"), "integer"),
    "delay": "interval",
}
_WRITERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "text": arrays.texts,
    "uuid": arrays.ids,
    "integer": arrays.numbers,
    "interval": arrays.spans,
}


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
    if "text" in values:
        # PostgreSQL keeps no NUL in a text, and a model may well write one.
        values["text"] = values["text"].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return Write(claim.id, claim.token, kind, **values)


def columns(writes: Sequence[Write]) -> dict[str, str]:
    """Turn writes into the parameters of `WRITES`."""
    columns = zip(*sorted(writes, key=lambda it: it.id.int), strict=True)
    return {
        name: _WRITERS[kind](values)
        for (name, kind), values in zip(_TYPES.items(), columns, strict=True)
    }


_ARRAYS: Final = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _TYPES.items())
_IS_STOPPING: Final = f"queue.state = '{JobState.CANCELLING}' AND given.state IS NOT NULL"

# Made of our own words alone. Locks are taken in the order in which the jobs are given, and that is
# the order of ids, as by every statement that waits for more than one: no two of them wait for each
# other. A job has a lease as long as it is held.
WRITES: Final[TextClause] = change(
    f"""
    FROM unnest({_ARRAYS}) AS given({", ".join(Write._fields)}) CROSS JOIN LATERAL (
        SELECT id, state FROM job_queue
        WHERE id = given.id AND token = given.token AND lease_expires IS NOT NULL
        FOR NO KEY UPDATE
    ) AS queue
    """,  # noqa: S608
    becomes=f"CASE WHEN {_IS_STOPPING} THEN '{JobState.CANCELLED}' ELSE given.state END",
    kind="given.kind",
    step="coalesce(given.step, '')",
    text="coalesce(given.text, '')",
    output=f"CASE WHEN NOT ({_IS_STOPPING}) THEN CAST(given.output AS json) END",
    error=f"CASE WHEN NOT ({_IS_STOPPING}) THEN CAST(given.error AS json) END",
    result="given.result",
    done_steps="given.done_steps",
    total_steps="given.total_steps",
    current_step="given.current_step",
    delay="given.delay",
    attempts_back="coalesce(given.attempts_back, 0)",
    charged_back="coalesce(given.charged_back, 0)",
    bell="given.bell",
    ids="""
    CASE WHEN count(*) < cardinality(CAST(:id AS uuid[])) THEN coalesce(array_agg(id), '{}') END
    """,
)
"""Makes many writes, no two of one job. Returns the ids of the jobs that were still held. NULL: all
were.
"""

KEEP_BLOB: Final[TextClause] = text(
    """
    INSERT INTO job_blobs (job_id, key, media_type, data)
    SELECT id, :key, :media_type, :data FROM job_queue
    WHERE id = :job_id AND token = :token AND lease_expires IS NOT NULL FOR NO KEY UPDATE
    ON CONFLICT (job_id, key) DO UPDATE
        SET media_type = excluded.media_type, data = excluded.data
    RETURNING job_id
    """
)
"""Keeps bytes of a job that is still held. Returns its id."""
