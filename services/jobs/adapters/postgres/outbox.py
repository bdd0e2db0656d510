"""Deliveries for workers: handed out under a lease and a count of attempts, and settled."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, TextClause, text

from services.chassis.errors import Conflict
from services.jobs import record
from services.jobs.adapters.postgres.changes import CHANNEL, TOLD, WEBHOOK
from services.jobs.adapters.postgres.database import Database
from services.jobs.adapters.postgres.deliveries import delivery_from_row
from services.jobs.adapters.postgres.rows import job_from_row
from services.jobs.adapters.postgres.snapshots import SNAPSHOTS
from services.jobs.adapters.postgres.tables import jobs as _jobs
from services.jobs.bells import Bell
from services.jobs.content import OUTPUTS
from services.jobs.domain import Job, JobError, JobEventKind
from services.jobs.webhooks.domain import DeliveryState, Outcome, Shipment

# The first lines step from host to host along the index, so that a long row before one host's door
# costs nobody else anything. Of each host, and of all of them together, those that have waited
# longest come first. A delivery that is under way is due when its lease runs out.
CLAIMS: Final[TextClause] = text(
    # Made of our own words alone.
    f"""
    WITH RECURSIVE hosts AS (
        (SELECT host, next_attempt_time FROM webhook_deliveries
        WHERE state = '{DeliveryState.PENDING}' ORDER BY host, next_attempt_time LIMIT 1)
        UNION ALL
        SELECT next.host, next.next_attempt_time FROM hosts CROSS JOIN LATERAL (
            SELECT it.host, it.next_attempt_time FROM webhook_deliveries AS it
            WHERE it.state = '{DeliveryState.PENDING}' AND it.host > hosts.host
            ORDER BY it.host, it.next_attempt_time LIMIT 1
        ) AS next
    ), waiting AS MATERIALIZED (
        SELECT hosts.host, :per_host - coalesce(busy.count, 0) AS free
        FROM hosts LEFT JOIN unnest(CAST(:busy_hosts AS text[]), CAST(:busy_counts AS integer[]))
            AS busy(host, count) USING (host)
        WHERE next_attempt_time <= now() AND coalesce(busy.count, 0) < :per_host
        ORDER BY next_attempt_time LIMIT :limit
    ), due AS MATERIALIZED (
        SELECT waiting.free, found.* FROM waiting CROSS JOIN LATERAL (
            SELECT it.host, it.job_id, it.sequence, it.next_attempt_time
            FROM webhook_deliveries AS it
            WHERE it.state = '{DeliveryState.PENDING}' AND it.host = waiting.host
                AND it.next_attempt_time <= now()
            ORDER BY it.next_attempt_time LIMIT :per_host FOR NO KEY UPDATE SKIP LOCKED
        ) AS found
    ), ranked AS (
        SELECT *, row_number() OVER (PARTITION BY host ORDER BY next_attempt_time) AS place
        FROM due
    ), chosen AS (
        SELECT job_id, sequence FROM ranked WHERE place <= free
        ORDER BY place, next_attempt_time LIMIT :limit
    ), claimed AS (
        UPDATE webhook_deliveries AS it SET
            attempts = it.attempts + 1,
            last_attempt_time = clock_timestamp(),
            next_attempt_time = now() + :lease
        FROM chosen WHERE it.job_id = chosen.job_id AND it.sequence = chosen.sequence
        RETURNING it.*
    )
    SELECT * FROM claimed
    """  # noqa: S608
)
"""Takes up deliveries. Returns their rows."""

_SETTLED: Final[TextClause] = text(
    # Made of our own words alone.
    f"""
    UPDATE webhook_deliveries SET
        state = :state, last_status = :status, last_problem = :problem,
        next_attempt_time = CASE WHEN :state = '{DeliveryState.PENDING}' THEN now() + :delay END
    WHERE job_id = :job_id AND sequence = :sequence AND attempts = :attempts
        AND state = '{DeliveryState.PENDING}'
    RETURNING job_id
    """  # noqa: S608
)
# A job that lives has its sequence in the queue. Only one of the two rows is locked, for those who
# end jobs lock both.
_TOLD: Final[TextClause] = text(
    # Made of our own words alone.
    f"""
    WITH living AS (
        UPDATE job_queue SET last_sequence = last_sequence + 1, update_time = clock_timestamp()
        WHERE id = :job_id
        RETURNING id, done_steps, total_steps, current_step, last_sequence, update_time
    ), ended AS (
        UPDATE jobs SET last_sequence = last_sequence + 1, update_time = clock_timestamp()
        WHERE id = :job_id AND state IS NOT NULL AND NOT EXISTS (SELECT FROM living)
        RETURNING id, done_steps, total_steps, current_step, last_sequence, update_time
    ), changed AS (
        SELECT *, update_time AS time, CAST(:kind AS text) AS kind, '' AS step,
            CAST(:text AS text) AS text
        FROM (SELECT * FROM living UNION ALL SELECT * FROM ended) AS found
    ), {TOLD}
    SELECT pg_notify('{CHANNEL}', CAST(id AS text)) FROM changed
    """  # noqa: S608
)
_KNOWN: Final[TextClause] = text("SELECT FROM jobs WHERE id = :job_id")

_OLDEST: Final[TextClause] = text(
    # Made of our own words alone.
    f"""
    SELECT clock_timestamp() - min(create_time) AS age
    FROM webhook_deliveries WHERE state = '{DeliveryState.PENDING}'
    """  # noqa: S608
)

_KINDS: Final = {
    DeliveryState.DELIVERED: JobEventKind.WEBHOOK_DELIVERED,
    DeliveryState.DEAD: JobEventKind.WEBHOOK_DEAD,
}


class PostgresOutbox:
    """Hands deliveries out of PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, *, limit: int, per_host: int, busy: Mapping[str, int], lease: timedelta
    ) -> Sequence[Shipment]:
        """Take up deliveries that are due."""
        given = {"limit": limit, "per_host": per_host, "lease": lease}
        counted = {"busy_hosts": list(busy), "busy_counts": list(busy.values())}
        rows = await self._database.rows(CLAIMS, {**given, **counted})
        if not rows:
            return ()
        jobs = await self._database.rows(
            SNAPSHOTS.where(_jobs.c.id.in_({it.job_id for it in rows}))
        )
        found = {it.id: job_from_row(it) for it in jobs}
        return [_shipment(row, found[row.job_id]) for row in rows if row.job_id in found]

    async def settle(self, shipment: Shipment, outcome: Outcome) -> None:
        """Write what became of a delivery, and tell its job's events where that is final."""
        delivery, answer = shipment.delivery, outcome.answer
        job_id = {"job_id": delivery.id.job_id}
        settled = {
            "sequence": delivery.id.sequence,
            "attempts": delivery.attempts,
            "state": outcome.state.value,
            "status": answer.status,
            "problem": answer.problem,
            "delay": outcome.delay,
        }
        async with self._database.transaction() as connection:
            if (await connection.execute(_SETTLED, {**job_id, **settled})).one_or_none() is None:
                raise Conflict(f"the lease of webhook {delivery.id} is lost", code="LEASE_LOST")
            if (kind := _KINDS.get(outcome.state)) is None:
                return
            said = answer.problem or f"it answered {answer.status}"
            told = {**job_id, "kind": kind.value, "text": f"{delivery.id}: {said}"}
            # A job that is sent back to work, or comes to an end, between the two looks is in
            # neither place; the next look finds it.
            while (await connection.execute(_TOLD, told)).one_or_none() is None:
                if (await connection.execute(_KNOWN, job_id)).one_or_none() is None:
                    return

    async def oldest_age(self) -> timedelta:
        """Return how long the oldest of those that are to be sent has been waiting."""
        [row] = await self._database.rows(_OLDEST)
        return max(row.age or timedelta(), timedelta())

    def due(self) -> AbstractContextManager[Bell]:
        """Hang up a bell that rings when a delivery may be claimed."""
        return self._database.bells.hung(WEBHOOK)


def _shipment(row: Row[Any], job: Job) -> Shipment:
    delivery = delivery_from_row(row)
    output = None if row.output is None else record.load(OUTPUTS[job.type], row.output)
    error = None if row.error is None else record.load(JobError, row.error)
    ended = replace(
        job,
        state=delivery.job_state,
        attempt=row.job_attempt,
        update_time=delivery.create_time,
        end_time=delivery.create_time,
        output=output,
        error=error,
        last_sequence=delivery.id.sequence,
    )
    return Shipment(delivery, ended, delivery.attempts - row.forgiven_attempts, row.host)
