from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc

from services.chassis import names, process
from services.chassis.clock import SystemClock
from services.chassis.server import Server
from services.engine.chat import Chat
from services.engine.choice import engine_from_config
from services.vision.config import VisionConfig
from services.vision.core import Vision
from services.vision.rpc import VisionServicer


async def main() -> None:
    """Serve until told to stop."""
    config = VisionConfig.load()
    async with engine_from_config(config) as engine:
        core = Vision(Chat(engine, config), image_pixels=config.image_pixels, clock=SystemClock())
        server = Server(config)
        server.add(
            pb_grpc.add_VisionServiceServicer_to_server,
            VisionServicer(core),
            pb.DESCRIPTOR.services_by_name["VisionService"],
            health=core.health,
        )
        await server.run()


if __name__ == "__main__":
    process.run(names.VISION, main)
