from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc

from services.chassis import client, names, process
from services.chassis.clock import SystemClock
from services.chassis.server import Server
from services.engine.chat import Chat
from services.engine.choice import engine_from_config
from services.media.fetch import Fetcher
from services.media.guard import Guard
from services.media.sources import Sources
from services.media.video import VideoDecoder
from services.vision.adapters.machine import LocalMachine
from services.vision.config import VisionConfig
from services.vision.core import Vision
from services.vision.device import Keeper
from services.vision.live.watcher import Watcher
from services.vision.peers import JobsUploads
from services.vision.rpc import VisionServicer
from services.vision.viewing import Viewer


@asynccontextmanager
async def opened(config: VisionConfig) -> AsyncIterator[Server]:
    """Build the room for a block."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(engine_from_config(config))
        guard = Guard(config.fetch_allow)
        fetcher = await stack.enter_async_context(Fetcher(guard, seconds=config.fetch_seconds))
        uploads = None
        if config.jobs_target:
            channel = await stack.enter_async_context(client.channel(config.jobs_target))
            uploads = JobsUploads(channel)
        sources = Sources(fetcher, root=config.media_root, uploads=uploads)
        viewer = Viewer(sources, VideoDecoder(), config)
        chat = Chat(engine, config)
        core = Vision(chat, viewer, follows=config.follows_instructions, clock=clock)
        machine = LocalMachine(config.engine_url)
        keeper = Keeper(engine, machine, release_at=config.release_at, clock=clock)
        await stack.enter_async_context(keeper.watching())
        server = Server(config)
        server.add(
            pb_grpc.add_VisionServiceServicer_to_server,
            VisionServicer(core, Watcher(chat, config, clock), keeper),
            pb.DESCRIPTOR.services_by_name["VisionService"],
            health=core.health,
        )
        yield server


async def main() -> None:
    """Serve until told to stop."""
    async with opened(VisionConfig.load()) as server:
        await server.run()


if __name__ == "__main__":
    process.run(names.VISION, main)
