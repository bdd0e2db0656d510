"""Webhooks and their deliveries."""

from typing import Final

from mesh.jobs.v1 import job_pb2
from mesh.jobs.v1 import webhook_service_pb2 as pb

from services.jobs.domain import JobState
from services.jobs.webhooks.domain import Delivery, DeliveryState
from services.jobs.webhooks.webhook import Webhook, WebhookFormat
from services.jobs.wire.times import time_to_pb

_FORMATS: Final = {it: f"WEBHOOK_FORMAT_{it.name}" for it in WebhookFormat}
_FORMATS_FROM_PB: Final = {name: it for it, name in _FORMATS.items()}
_STATES: Final = {it: f"WEBHOOK_DELIVERY_STATE_{it.name}" for it in DeliveryState}
_STATES_FROM_PB: Final = {name: it for it, name in _STATES.items()}


def webhook_from_pb(webhook: job_pb2.Webhook) -> Webhook:
    """Read who is to be told; in the mesh's own words where none are named."""
    name = job_pb2.WebhookFormat.Name(webhook.format)
    return Webhook(webhook.url, _FORMATS_FROM_PB.get(name, WebhookFormat.MESH))


def webhook_to_pb(webhook: Webhook) -> job_pb2.Webhook:
    """Write who is told."""
    return job_pb2.Webhook(url=webhook.url, format=_FORMATS[webhook.format])


def delivery_state_from_pb(state: pb.WebhookDeliveryState) -> DeliveryState | None:
    """Read a state; None where it is unspecified."""
    return _STATES_FROM_PB.get(pb.WebhookDeliveryState.Name(state))


def delivery_to_pb(delivery: Delivery) -> pb.WebhookDelivery:
    """Write a delivery."""
    return pb.WebhookDelivery(
        id=str(delivery.id),
        job_id=str(delivery.id.job_id),
        job_state=f"JOB_STATE_{JobState(delivery.job_state).name}",
        webhook=webhook_to_pb(delivery.webhook),
        state=_STATES[delivery.state],
        attempts=delivery.attempts,
        create_time=time_to_pb(delivery.create_time),
        last_attempt_time=time_to_pb(delivery.last_attempt_time),
        next_attempt_time=time_to_pb(delivery.next_attempt_time),
        last_status=delivery.last_status,
        last_problem=delivery.last_problem,
    )
