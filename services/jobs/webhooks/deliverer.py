"""Sends what the outbox holds: several messages at once, of which no receiver gets more than its
share, so that a slow one holds nobody up. Any number of deliverers share an outbox. It knows no
words of the messages that it sends.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from opentelemetry import metrics

from services.chassis import names
from services.chassis.errors import MeshError
from services.jobs.bells import Bell
from services.jobs.config import WorkerConfig
from services.jobs.domain import Job
from services.jobs.webhooks import schedule
from services.jobs.webhooks.domain import Answer, Shipment
from services.jobs.webhooks.ports import Outbox
from services.jobs.webhooks.sending import Sender
from services.jobs.webhooks.webhook import WebhookFormat

_log = logging.getLogger(__name__)

# Longer than an attempt can take and be written down.
_LEASE_PER_TIMEOUT: Final = 3
_LOOK_SECONDS: Final = 15.0
_OURS: Final = Answer(0, "something failed inside the worker; the cause is in its log")


class Deliverer:
    """Delivers until its block ends. May be run once."""

    def __init__(
        self,
        outbox: Outbox,
        sender: Sender,
        write: Callable[[Job, WebhookFormat], bytes],
        config: WorkerConfig,
    ) -> None:
        self._outbox = outbox
        self._sender = sender
        self._write = write
        self._config = config
        self._lease = timedelta(seconds=config.webhook_timeout_seconds * _LEASE_PER_TIMEOUT)
        self._longest_wait = timedelta(seconds=config.webhook_backoff_seconds)
        self._busy: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        meter = metrics.get_meter(__name__)
        self._attempts = meter.create_counter(
            names.WEBHOOK_ATTEMPTS,
            unit="{attempt}",
            description="Messages sent, by what came of it",
        )
        self._age = meter.create_gauge(
            names.WEBHOOK_AGE, unit="s", description="How long the oldest message has been waiting"
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver for a block; at its end finish what is under way, within the drain time."""
        with self._outbox.due() as bell:
            async with asyncio.TaskGroup() as group:
                claiming = group.create_task(self._claim(group, bell))
                looking = group.create_task(self._look())
                try:
                    yield
                finally:
                    await self._drain(claiming, bell)
                    for task in (looking, *self._tasks):
                        task.cancel()

    async def _claim(self, group: asyncio.TaskGroup, bell: Bell) -> None:
        while not self._stopping:
            free = self._config.webhook_concurrency - self._busy.total()
            shipments = await self._claimed(free) if free else ()
            for shipment in shipments:
                self._busy[shipment.host] += 1
                task = group.create_task(self._deliver(shipment, bell))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            if not shipments:
                await bell.wait(self._config.poll_seconds)

    async def _claimed(self, free: int) -> Sequence[Shipment]:
        try:
            return await self._outbox.claim(
                limit=free,
                per_host=self._config.webhook_host_concurrency,
                busy=self._busy,
                lease=self._lease,
            )
        except MeshError as error:
            _log.warning("cannot claim webhooks", extra={"reason": error.code})
            return ()

    async def _deliver(self, shipment: Shipment, bell: Bell) -> None:
        told = {"webhook_id": str(shipment.delivery.id), "attempt": shipment.delivery.attempts}
        try:
            outcome = schedule.judge(
                await self._send(shipment),
                tries=shipment.tries,
                longest_wait=self._longest_wait,
                chance=random.random(),  # noqa: S311 - it guards nothing
            )
            await self._outbox.settle(shipment, outcome)
            self._attempts.add(1, {"outcome": outcome.state})
            _log.info("sent a webhook", extra={**told, "outcome": outcome.state})
        except MeshError as error:
            # It is sent again when its lease runs out, under the id that it has.
            _log.warning("cannot settle a webhook", extra={**told, "reason": error.code})
        finally:
            self._busy -= Counter([shipment.host])
            # A place is free.
            bell.ring()

    async def _send(self, shipment: Shipment) -> Answer:
        delivery = shipment.delivery
        try:
            body = self._write(shipment.job, delivery.webhook.format)
            return await self._sender.send(
                delivery.tenant, delivery.webhook, str(delivery.id), body
            )
        except Exception:
            _log.exception("a webhook could not be sent", extra={"webhook_id": str(delivery.id)})
            return _OURS

    async def _look(self) -> None:
        while True:
            try:
                self._age.set((await self._outbox.oldest_age()).total_seconds())
            except MeshError as error:
                _log.warning("cannot look at webhooks", extra={"reason": error.code})
            await asyncio.sleep(_LOOK_SECONDS)

    async def _drain(self, claiming: asyncio.Task[None], bell: Bell) -> None:
        self._stopping = True
        bell.ring()
        try:
            async with asyncio.timeout(self._config.drain_seconds):
                await asyncio.wait([claiming])
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            _log.warning("webhooks are left to their leases", extra={"count": len(self._tasks)})
            claiming.cancel()
