from mesh.jobs.v1 import (
    job_service_pb2,
    media_service_pb2,
    session_service_pb2,
    webhook_service_pb2,
)
from mesh.jobs.v1.job_service_pb2_grpc import add_JobServiceServicer_to_server
from mesh.jobs.v1.media_service_pb2_grpc import add_MediaServiceServicer_to_server
from mesh.jobs.v1.session_service_pb2_grpc import add_SessionServiceServicer_to_server
from mesh.jobs.v1.webhook_service_pb2_grpc import add_WebhookServiceServicer_to_server

from services.chassis import client, names, process
from services.chassis.clock import SystemClock
from services.chassis.server import Server
from services.jobs.adapters import objects
from services.jobs.adapters.postgres import (
    Database,
    PostgresDeliveryStore,
    PostgresJobStore,
    PostgresMediaIndex,
    PostgresSessionStore,
)
from services.jobs.adapters.receiver import HttpReceiver
from services.jobs.capacity import Capacity
from services.jobs.config import DomainAddresses, JobsConfig, WebhookConfig
from services.jobs.core import Jobs
from services.jobs.media import MediaKeeper
from services.jobs.media_rpc import MediaServicer
from services.jobs.naming import Doors
from services.jobs.peers import ListeningRoom, ReasoningRoom
from services.jobs.rpc import JobServicer
from services.jobs.session_rpc import SessionServicer
from services.jobs.sessions.analyst import Analyst
from services.jobs.sessions.closing import Closer
from services.jobs.sessions.core import Sessions
from services.jobs.webhook_rpc import WebhookServicer
from services.jobs.webhooks.core import Webhooks
from services.jobs.webhooks.policy import Policy
from services.jobs.webhooks.sending import Sender
from services.jobs.webhooks.signing import Signer
from services.media.guard import Guard
from services.media.spool import Shelf


def doors(config: JobsConfig) -> Doors:
    """What an input may name here."""
    return Doors(
        Guard(config.fetch_allow),
        files=config.media_root is not None,
        domains=DomainAddresses.load().api_url is not None,
    )


async def main() -> None:
    """Serve until told to stop."""
    config = JobsConfig.load()
    told, clock = WebhookConfig.load(), SystemClock()
    guard, signer = Guard(told.webhook_allow), Signer(told.keys)
    policy = Policy(guard, http=told.webhook_http)
    async with (
        Database(config.database_url.get_secret_value()) as database,
        HttpReceiver(guard) as receiver,
        client.channel(config.audio_target, sticky=True) as audio,
        client.channel(config.reasoning_target) as reasoning,
    ):
        store = PostgresJobStore(database)
        capacity = Capacity(
            store, types=config.capacities, tenant=config.tenant_capacity, clock=clock
        )
        sender = Sender(receiver, signer, clock)
        webhooks = Webhooks(PostgresDeliveryStore(database), sender, signer, policy)
        blobs = objects.store_at(config.media_url)
        media = MediaKeeper(PostgresMediaIndex(database), blobs, config.media_rules)
        core = Jobs(store, media, doors(config), capacity=capacity, policy=policy)
        sessions, listener = PostgresSessionStore(database), ListeningRoom(audio)
        bounds = config.session_bounds
        analyst = Analyst(ReasoningRoom(reasoning), within=bounds.analysis)
        server = Server(config)
        server.add(
            add_JobServiceServicer_to_server,
            JobServicer(core),
            job_service_pb2.DESCRIPTOR.services_by_name["JobService"],
            health=core.health,
        )
        server.add(
            add_SessionServiceServicer_to_server,
            SessionServicer(Sessions(sessions, listener, bounds)),
            session_service_pb2.DESCRIPTOR.services_by_name["SessionService"],
            health=core.health,
        )
        server.add(
            add_MediaServiceServicer_to_server,
            MediaServicer(media, Shelf(config.spooled_bytes)),
            media_service_pb2.DESCRIPTOR.services_by_name["MediaService"],
            health=core.health,
        )
        server.add(
            add_WebhookServiceServicer_to_server,
            WebhookServicer(webhooks, clock),
            webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"],
            health=core.health,
        )
        # Streams that are drained wait for the end of their sessions.
        async with Closer(sessions, listener, analyst, bounds).running():
            await server.run()


if __name__ == "__main__":
    process.run(names.JOBS, main)
