from mesh.reasoning.v1 import reasoning_service_pb2 as pb
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as pb_grpc

from services.chassis import names, process
from services.chassis.clock import SystemClock
from services.chassis.server import Server
from services.engine.chat import Chat
from services.engine.choice import engine_from_config
from services.reasoning.config import ReasoningConfig
from services.reasoning.core import Reasoning
from services.reasoning.rpc import ReasoningServicer


async def main() -> None:
    """Serve until told to stop."""
    config = ReasoningConfig.load()
    async with engine_from_config(config) as engine:
        core = Reasoning(Chat(engine, config), clock=SystemClock())
        server = Server(config)
        server.add(
            pb_grpc.add_ReasoningServiceServicer_to_server,
            ReasoningServicer(core),
            pb.DESCRIPTOR.services_by_name["ReasoningService"],
            health=core.health,
        )
        await server.run()


if __name__ == "__main__":
    process.run(names.REASONING, main)
