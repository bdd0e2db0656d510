"""The outbox of a `MemoryJobStore`, for clients and workers in one: for the tests of both."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from services.chassis.errors import Conflict
from services.jobs.domain import JobEventKind
from services.jobs.webhooks.domain import (
    Delivery,
    DeliveryId,
    DeliveryState,
    Shipment,
    not_found,
)

KINDS = {
    DeliveryState.DELIVERED: JobEventKind.WEBHOOK_DELIVERED,
    DeliveryState.DEAD: JobEventKind.WEBHOOK_DEAD,
}


@dataclass
class Sent:
    delivery: Delivery
    job: object
    forgiven: int = 0

    @property
    def host(self):
        return urlsplit(self.delivery.webhook.url).netloc.lower()


class MemoryOutbox:
    """Sits the same exam as PostgreSQL."""

    def __init__(self, jobs):
        self.jobs = jobs
        self.sent: dict[DeliveryId, Sent] = {}
        jobs.ended, jobs.owes, jobs.forgotten = self._put, self._owes, self._forget

    async def list(self, tenant, selection):
        found = [it.delivery for it in self.sent.values() if it.delivery.tenant == tenant]
        found.sort(key=place, reverse=True)
        after = selection.after and (selection.after.create_time, selection.after.id.bytes)
        return [
            it
            for it in found
            if selection.job_id in (None, it.id.job_id)
            and selection.state in (None, it.state)
            and (after is None or place(it) < after)
        ][: selection.limit]

    async def get(self, tenant, delivery_id):
        return self._of(tenant, delivery_id).delivery

    async def replay(self, tenant, delivery_id):
        sent = self._of(tenant, delivery_id)
        sent.forgiven = sent.delivery.attempts
        sent.delivery = replace(
            sent.delivery, state=DeliveryState.PENDING, next_attempt_time=datetime.now(UTC)
        )
        self.jobs.bells.ring("webhook")
        return sent.delivery

    async def claim(self, *, limit, per_host, busy, lease):
        now = datetime.now(UTC)
        places = Counter(busy)
        due = [
            it
            for it in self.sent.values()
            if it.delivery.state is DeliveryState.PENDING and it.delivery.next_attempt_time <= now
        ]
        chosen = []
        for sent in sorted(due, key=lambda it: it.delivery.next_attempt_time):
            places[sent.host] += 1
            if places[sent.host] <= per_host:
                chosen.append((places[sent.host], sent))
        chosen = [sent for _, sent in sorted(chosen, key=lambda it: it[0])][:limit]
        for sent in chosen:
            sent.delivery = replace(
                sent.delivery,
                attempts=sent.delivery.attempts + 1,
                last_attempt_time=now,
                next_attempt_time=now + lease,
            )
        return [
            Shipment(it.delivery, it.job, it.delivery.attempts - it.forgiven, it.host)
            for it in chosen
        ]

    async def settle(self, shipment, outcome):
        sent = self.sent[shipment.delivery.id]
        held = (shipment.delivery.attempts, DeliveryState.PENDING)
        if (sent.delivery.attempts, sent.delivery.state) != held:
            raise Conflict(f"the lease of webhook {shipment.delivery.id} is lost")
        waits = outcome.state is DeliveryState.PENDING
        sent.delivery = replace(
            sent.delivery,
            state=outcome.state,
            last_status=outcome.answer.status,
            last_problem=outcome.answer.problem,
            next_attempt_time=datetime.now(UTC) + outcome.delay if waits else None,
        )
        if not waits:
            said = outcome.answer.problem or f"it answered {outcome.answer.status}"
            text = f"{sent.delivery.id}: {said}"
            self.jobs.tell(shipment.delivery.id.job_id, KINDS[outcome.state], text)

    async def oldest_age(self):
        now = datetime.now(UTC)
        waits = [it.delivery for it in self.sent.values()]
        ages = [now - it.create_time for it in waits if it.state is DeliveryState.PENDING]
        return max(ages, default=timedelta())

    def due(self):
        return self.jobs.bells.hung("webhook")

    def _put(self, job):
        if job.webhook is None:
            return
        delivery = Delivery(
            id=DeliveryId(job.id, job.last_sequence),
            tenant=job.tenant,
            job_state=job.state,
            webhook=job.webhook,
            state=DeliveryState.PENDING,
            attempts=0,
            create_time=job.end_time,
            last_attempt_time=None,
            next_attempt_time=job.end_time,
            last_status=0,
            last_problem="",
        )
        self.sent[delivery.id] = Sent(delivery, job)
        self.jobs.bells.ring("webhook")

    def _owes(self, job):
        return any(
            it.delivery.id.job_id == job.id and it.delivery.state is DeliveryState.PENDING
            for it in self.sent.values()
        )

    def _forget(self, job):
        self.sent = {key: it for key, it in self.sent.items() if key.job_id != job.id}

    def _of(self, tenant, delivery_id):
        sent = self.sent.get(delivery_id)
        if sent is None or sent.delivery.tenant != tenant:
            raise not_found(delivery_id)
        return sent


def place(delivery):
    return delivery.create_time, delivery.id.job_id.bytes
