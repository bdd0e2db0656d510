"""Deliveries for clients: listed, told of and replayed."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, Text, column, func, literal, select, tuple_, update

from services.jobs.adapters.postgres.changes import CHANNEL, WEBHOOK
from services.jobs.adapters.postgres.database import Database
from services.jobs.adapters.postgres.tables import webhook_deliveries as table
from services.jobs.domain import JobId, JobState
from services.jobs.webhooks.domain import Delivery, DeliveryId, DeliveryState, not_found
from services.jobs.webhooks.ports import DeliverySelection
from services.jobs.webhooks.webhook import Webhook, WebhookFormat

_TOLD: Final = [it for it in table.c if it.name not in ("output", "error", "host")]


class PostgresDeliveryStore:
    """Tells of deliveries in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, tenant: str, selection: DeliverySelection) -> Sequence[Delivery]:
        """Return deliveries, the newest first."""
        statement = (
            select(*_TOLD)
            .where(table.c.tenant == tenant)
            .order_by(table.c.create_time.desc(), table.c.job_id.desc())
            .limit(selection.limit)
        )
        if selection.job_id is not None:
            statement = statement.where(table.c.job_id == selection.job_id)
        if selection.state is not None:
            state = literal(selection.state.value, literal_execute=True)
            statement = statement.where(table.c.state == state)
        if (after := selection.after) is not None:
            place = tuple_(table.c.create_time, table.c.job_id)
            statement = statement.where(place < (after.create_time, after.id))
        return [delivery_from_row(row) for row in await self._database.rows(statement)]

    async def get(self, tenant: str, delivery_id: DeliveryId) -> Delivery:
        """Return one delivery."""
        statement = select(*_TOLD).where(table.c.tenant == tenant, *_is(delivery_id))
        for row in await self._database.rows(statement):
            return delivery_from_row(row)
        raise not_found(delivery_id)

    async def replay(self, tenant: str, delivery_id: DeliveryId) -> Delivery:
        """Let a delivery be sent at once, and again as often as a new one."""
        replayed = (
            update(table)
            .values(
                state=DeliveryState.PENDING,
                next_attempt_time=func.now(),
                forgiven_attempts=table.c.attempts,
            )
            .where(table.c.tenant == tenant, *_is(delivery_id))
            .returning(*_TOLD)
            .cte("replayed")
        )
        rung = func.pg_notify(CHANNEL, literal(WEBHOOK, Text))
        statement = select(*(column(it.name) for it in _TOLD), rung).select_from(replayed)
        for row in await self._database.rows(statement):
            return delivery_from_row(row)
        raise not_found(delivery_id)


def delivery_from_row(row: Row[Any]) -> Delivery:
    """Read a row of `webhook_deliveries`."""
    return Delivery(
        id=DeliveryId(JobId(row.job_id), row.sequence),
        tenant=row.tenant,
        job_state=JobState(row.job_state),
        webhook=Webhook(row.url, WebhookFormat(row.format)),
        state=DeliveryState(row.state),
        attempts=row.attempts,
        create_time=row.create_time,
        last_attempt_time=row.last_attempt_time,
        next_attempt_time=row.next_attempt_time,
        last_status=row.last_status,
        last_problem=row.last_problem,
    )


def _is(delivery_id: DeliveryId) -> tuple[Any, ...]:
    return table.c.job_id == delivery_id.job_id, table.c.sequence == delivery_id.sequence
