"""What is done now and then so that the tables stay small: jobs that are to be forgotten, and sums
that have many summands. Any number of workers may do it at once; each takes what no other has.
"""

import time
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import TextClause, text

from services.jobs.adapters.postgres.tables import OF_A_JOB
from services.jobs.webhooks.domain import DeliveryState

BATCH: Final = 200
"""So many jobs are forgotten at once: their pictures may be large."""
# A group of so many rows is worth the writing.
_MANY: Final = 100

# Made of our own words alone, as all that follows.
_OF_THEM: Final = ", ".join(
    f"{it.name}_gone AS (DELETE FROM {it.name} USING old WHERE {it.name}.job_id = old.id)"  # noqa: S608
    for it in OF_A_JOB
)

# Ids are in the order of creation, and no job ends before it is made: the index of ids will do.
FORGET: Final[TextClause] = text(
    f"""
    WITH old AS MATERIALIZED (
        SELECT id, tenant, type, state FROM jobs
        WHERE id < :before AND state IS NOT NULL AND end_time < now() - CAST(:age AS interval)
            AND NOT EXISTS (
                SELECT FROM webhook_deliveries AS it
                WHERE it.job_id = jobs.id AND it.state = '{DeliveryState.PENDING}'
            )
        ORDER BY id LIMIT {BATCH} FOR UPDATE OF jobs SKIP LOCKED
    ), gone AS (
        DELETE FROM jobs USING old WHERE jobs.id = old.id
    ), {_OF_THEM}, tally AS (
        INSERT INTO job_tallies (tenant, type, state, jobs)
        SELECT tenant, type, state, -count(*) FROM old GROUP BY tenant, type, state
    )
    SELECT count(*) AS jobs FROM old
    """  # noqa: S608
)
"""Deletes jobs that ended long ago, with all that belongs to them. Returns how many."""

ADD_UP: Final[TextClause] = text(
    f"""
    WITH many AS MATERIALIZED (
        SELECT tenant, type, state FROM job_tallies
        GROUP BY tenant, type, state HAVING count(*) > {_MANY}
    ), gone AS (
        DELETE FROM job_tallies WHERE ctid = ANY(ARRAY(
            SELECT tally.ctid FROM job_tallies AS tally JOIN many USING (tenant, type, state)
            FOR UPDATE OF tally SKIP LOCKED
        )) RETURNING tenant, type, state, jobs
    )
    INSERT INTO job_tallies (tenant, type, state, jobs)
    SELECT tenant, type, state, sum(jobs) FROM gone GROUP BY tenant, type, state
    RETURNING jobs
    """  # noqa: S608
)
"""Makes one row of many that count the same."""


def before(age: timedelta) -> UUID:
    """Return the id above all those of jobs that were made longer ago than `age`."""
    milliseconds = int((time.time() - age.total_seconds()) * 1000)
    return UUID(int=max(milliseconds, 0) << 80)
