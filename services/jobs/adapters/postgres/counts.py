"""How many jobs there are. Those that live are counted; of those at an end there are sums."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, TextClause, text

from services.jobs.content import JobType
from services.jobs.domain import JobState, QueueStats

_LIVING: Final = ", ".join(f"'{state}'" for state in JobState if not state.is_terminal)

# Each state is named, so that they are found by index.
STATS: Final[TextClause] = text(
    # Made of our own words alone.
    f"""
    SELECT type, state, count(*) AS jobs, max(now() - run_after) FILTER (
        WHERE state = '{JobState.PENDING}' AND run_after <= now()
    ) AS due
    FROM job_queue WHERE tenant = :tenant AND state IN ({_LIVING}) GROUP BY type, state
    UNION ALL
    SELECT type, state, CAST(sum(jobs) AS bigint), NULL
    FROM job_tallies WHERE tenant = :tenant GROUP BY type, state HAVING sum(jobs) > 0
    """  # noqa: S608
)
"""Counts a tenant's jobs by type and state."""

WAITING: Final[TextClause] = text(
    f"""
    SELECT tenant, type, count(*) AS jobs FROM job_queue
    WHERE state = '{JobState.PENDING}' GROUP BY tenant, type
    """  # noqa: S608
)
"""Counts the jobs that wait by tenant and type."""


def stats_from_rows(rows: Sequence[Row[Any]]) -> QueueStats:
    """Read what `STATS` returned."""
    counts = {(JobType(row.type), JobState(row.state)): row.jobs for row in rows}

    def of(*states: JobState) -> int:
        return sum(jobs for (_, state), jobs in counts.items() if state in states)

    return QueueStats(
        pending=of(JobState.PENDING),
        running=of(JobState.RUNNING, JobState.CANCELLING),
        longest_due=max((row.due for row in rows if row.due is not None), default=None),
        counts=counts,
    )
