"""The webhook service as gRPC sees it: each method reads, asks the core, and writes."""

from uuid import UUID

from mesh.jobs.v1 import webhook_service_pb2 as pb
from mesh.jobs.v1 import webhook_service_pb2_grpc as pb_grpc

from services.chassis.clock import Clock
from services.chassis.middleware import Context
from services.jobs import wire
from services.jobs.domain import JobId
from services.jobs.webhooks.core import Webhooks


class WebhookServicer(pb_grpc.WebhookServiceServicer):
    """Serves webhooks."""

    def __init__(self, core: Webhooks, clock: Clock) -> None:
        self._core = core
        self._clock = clock

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, context: Context
    ) -> pb.ListWebhookDeliveriesResponse:
        """Tell of many deliveries, the newest first."""
        page = await self._core.list(
            size=request.page_size,
            token=request.page_token,
            job_id=JobId(UUID(request.job_id)) if request.job_id else None,
            state=wire.delivery_state_from_pb(request.state),
        )
        return pb.ListWebhookDeliveriesResponse(
            deliveries=map(wire.delivery_to_pb, page.deliveries), next_page_token=page.next_token
        )

    async def GetWebhookDelivery(
        self, request: pb.GetWebhookDeliveryRequest, context: Context
    ) -> pb.GetWebhookDeliveryResponse:
        """Tell of one delivery."""
        delivery = await self._core.get(request.id)
        return pb.GetWebhookDeliveryResponse(delivery=wire.delivery_to_pb(delivery))

    async def ReplayWebhookDelivery(
        self, request: pb.ReplayWebhookDeliveryRequest, context: Context
    ) -> pb.ReplayWebhookDeliveryResponse:
        """Send a delivery again."""
        delivery = await self._core.replay(request.id)
        return pb.ReplayWebhookDeliveryResponse(delivery=wire.delivery_to_pb(delivery))

    async def TestWebhook(
        self, request: pb.TestWebhookRequest, context: Context
    ) -> pb.TestWebhookResponse:
        """Send a test message."""
        webhook = wire.webhook_from_pb(request.webhook)
        body = wire.sample_message(webhook.format, self._clock.now())
        answer = await self._core.test(webhook, body)
        return pb.TestWebhookResponse(
            delivered=answer.is_success, status=answer.status, problem=answer.problem
        )

    async def ListWebhookSecrets(
        self, request: pb.ListWebhookSecretsRequest, context: Context
    ) -> pb.ListWebhookSecretsResponse:
        """Tell the signing secrets."""
        return pb.ListWebhookSecretsResponse(secrets=self._core.secrets())
