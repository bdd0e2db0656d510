"""Not doubles: the rooms that chat, as their `__main__` builds them, before any engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as reasoning_grpc
from mesh.vision.v1 import vision_service_pb2 as vision_pb

from services.chassis.clock import SystemClock
from services.chassis.server import Server
from services.engine.chat import Chat
from services.engine.choice import engine_from_config
from services.reasoning.config import ReasoningConfig
from services.reasoning.core import Reasoning
from services.reasoning.rpc import ReasoningServicer
from services.vision.__main__ import opened
from services.vision.config import VisionConfig

VISION = vision_pb.DESCRIPTOR.services_by_name["VisionService"]
REASONING = reasoning_pb.DESCRIPTOR.services_by_name["ReasoningService"]


@asynccontextmanager
async def vision_room(engine_url: str, **options: Any) -> AsyncIterator[str]:
    """Serve the vision room for a block, which is given its address."""
    config = VisionConfig(
        listen="127.0.0.1:0", engine_url=engine_url, **{"drain_seconds": 1} | options
    )
    async with opened(config) as server, server.running() as address:
        yield address


@asynccontextmanager
async def reasoning_room(engine_url: str, **options: Any) -> AsyncIterator[str]:
    """Serve the reasoning room for a block, which is given its address."""
    config = ReasoningConfig(
        listen="127.0.0.1:0", engine_url=engine_url, **{"drain_seconds": 1} | options
    )
    async with engine_from_config(config) as engine:
        core = Reasoning(Chat(engine, config), clock=SystemClock())
        server = Server(config)
        register = reasoning_grpc.add_ReasoningServiceServicer_to_server
        server.add(register, ReasoningServicer(core), REASONING, health=core.health)
        async with server.running() as address:
            yield address
