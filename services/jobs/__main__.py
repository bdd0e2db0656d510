from mesh.jobs.v1 import job_service_pb2, media_service_pb2, session_service_pb2
from mesh.jobs.v1.job_service_pb2_grpc import add_JobServiceServicer_to_server
from mesh.jobs.v1.media_service_pb2_grpc import add_MediaServiceServicer_to_server
from mesh.jobs.v1.session_service_pb2_grpc import add_SessionServiceServicer_to_server

from services.chassis import names, process
from services.chassis.server import Server
from services.jobs.adapters import objects
from services.jobs.adapters.postgres import Database, PostgresJobStore, PostgresMediaIndex
from services.jobs.config import JobsConfig
from services.jobs.core import Jobs
from services.jobs.media import MediaKeeper
from services.jobs.media_rpc import MediaServicer
from services.jobs.rpc import JobServicer, SessionServicer


async def main() -> None:
    """Serve until told to stop."""
    config = JobsConfig.load()
    async with Database(config.database_url.get_secret_value()) as database:
        core = Jobs(PostgresJobStore(database))
        blobs = objects.store_at(config.media_url)
        media = MediaKeeper(PostgresMediaIndex(database), blobs, config.media_rules)
        server = Server(config)
        server.add(
            add_JobServiceServicer_to_server,
            JobServicer(core),
            job_service_pb2.DESCRIPTOR.services_by_name["JobService"],
            health=core.health,
        )
        server.add(
            add_SessionServiceServicer_to_server,
            SessionServicer(),
            session_service_pb2.DESCRIPTOR.services_by_name["SessionService"],
        )
        server.add(
            add_MediaServiceServicer_to_server,
            MediaServicer(media),
            media_service_pb2.DESCRIPTOR.services_by_name["MediaService"],
            health=core.health,
        )
        await server.run()


if __name__ == "__main__":
    process.run(names.JOBS, main)
