"""The one way in which a job changes: a statement that writes the row, tells the event and rings
the bells, all or nothing.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import (
    CTE,
    Insert,
    Select,
    Text,
    Update,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    true,
)

from services.jobs.adapters.postgres.tables import job_events, jobs
from services.jobs.domain import JobEventKind, JobState

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

NOW: Final = func.now()
"""The time for conditions, which an index can use."""
TIME: Final = func.clock_timestamp()
"""The time to write down: not before that of any change that this one waited for."""

_ENDS: Final = {
    JobState.COMPLETED: JobEventKind.COMPLETED,
    JobState.FAILED: JobEventKind.FAILED,
    JobState.CANCELLED: JobEventKind.CANCELLED,
}


def told(
    change: Insert | Update,
    kind: JobEventKind,
    *,
    step: str = "",
    text: str = "",
    bell: str | None = None,
    then: Callable[[CTE], Insert] | None = None,
    whole: bool = True,
) -> Select[Any]:
    """Make one statement of a change to `jobs`, its event and its bells.

    The event is of `kind`, unless the change has brought the job to an end. `then` inserts what
    belongs to the change, from the changed rows alone: the statement's own view of `jobs` may be
    older. The statement returns the changed rows, or their ids alone.
    """
    if isinstance(change, Update):
        change = change.values(last_sequence=jobs.c.last_sequence + 1, update_time=TIME)
    changed = change.returning(*jobs.c).cte("changed")
    values = {
        "job_id": changed.c.id,
        "sequence": changed.c.last_sequence,
        "time": TIME,
        "kind": case(_ENDS, value=changed.c.state, else_=literal(kind, Text)),
        "step": literal(step, Text),
        # PostgreSQL keeps no NUL in a text, and a model may well write one.
        "text": literal(text.replace("\0", "\N{REPLACEMENT CHARACTER}"), Text),
        "done_steps": changed.c.done_steps,
        "total_steps": changed.c.total_steps,
        "current_step": changed.c.current_step,
    }
    event = insert(job_events).from_select(list(values), select(*values.values())).cte("event")
    rung = _rung(changed, bell)
    returned = changed.c if whole else (changed.c.id,)
    # Joined, for PostgreSQL does not run what nothing asks for.
    statement = select(*returned, rung.c.rung).join_from(changed, rung, true()).add_cte(event)
    return statement if then is None else statement.add_cte(then(changed).cte("then"))


def _rung(changed: CTE, bell: str | None) -> CTE:
    ids = func.string_agg(cast(changed.c.id, Text), " ")
    told_of = case((func.count() > MOST_TOLD, EVERYTHING), else_=func.concat_ws(" ", bell, ids))
    notice = func.pg_notify(CHANNEL, told_of).label("rung")
    return select(notice).select_from(changed).having(func.count() > 0).cte("rung")
