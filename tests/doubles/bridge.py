"""Not a double: the bridge as its `__main__` builds it, before given rooms."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from mesh.audio.v1 import audio_service_pb2_grpc as audio_grpc
from mesh.jobs.v1 import session_service_pb2_grpc as session_grpc
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as reasoning_grpc
from mesh.vision.v1 import vision_service_pb2_grpc as vision_grpc

from gateway.bridge import server
from gateway.bridge.config import SOCKET_BYTES, BridgeConfig
from gateway.bridge.dialects import dialects, sockets
from services.chassis import client
from tests.doubles import edge as edges


def config(**told: Any) -> BridgeConfig:
    """A bridge's settings; rooms that are not told are down."""
    rooms = {f"{it}_target": edges.NOWHERE for it in ("jobs", "vision", "reasoning", "audio")}
    return BridgeConfig(**({"listen": "127.0.0.1:0"} | rooms | told))


@asynccontextmanager
async def bridging(
    vision: str = edges.NOWHERE,
    *,
    reasoning: str = "",
    audio: str = "",
    jobs: str = "",
    socket_bytes: int = SOCKET_BYTES,
    **options: Any,
) -> AsyncIterator[str]:
    """Serve the bridge for a block, which is given its address; rooms without one are down."""
    told = config(vision_target=vision, drain_seconds=1)
    async with (
        client.channel(vision) as vision_channel,
        client.channel(reasoning or edges.NOWHERE) as reasoning_channel,
        client.channel(audio or edges.NOWHERE) as audio_channel,
        client.channel(jobs or edges.NOWHERE) as jobs_channel,
    ):
        stubs = {
            "VisionService": vision_grpc.VisionServiceStub(vision_channel),
            "ReasoningService": reasoning_grpc.ReasoningServiceStub(reasoning_channel),
            "AudioService": audio_grpc.AudioServiceStub(audio_channel),
            "SessionService": session_grpc.SessionServiceStub(jobs_channel),
        }
        app: web.Application = server.application(
            dialects(), stubs, sockets(**options), socket_bytes=socket_bytes
        )
        async with server.running(told, app) as address:
            yield address
