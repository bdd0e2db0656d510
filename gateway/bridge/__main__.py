import asyncio
import signal

from mesh.audio.v1 import audio_service_pb2_grpc as audio_grpc
from mesh.jobs.v1 import job_service_pb2_grpc as jobs_grpc
from mesh.jobs.v1 import session_service_pb2_grpc as session_grpc
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as reasoning_grpc
from mesh.vision.v1 import vision_service_pb2_grpc as vision_grpc

from gateway.bridge import server
from gateway.bridge.config import BridgeConfig
from gateway.bridge.dialects import dialects, sockets
from gateway.openapi import documentation
from services.chassis import client, names, process


async def main() -> None:
    """Serve until told to stop."""
    config = BridgeConfig.load()
    stop = asyncio.Event()
    for received in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(received, stop.set)
    async with (
        client.channel(config.jobs_target) as jobs,
        client.channel(config.vision_target) as vision,
        client.channel(config.reasoning_target) as reasoning,
        client.channel(config.audio_target) as audio,
    ):
        stubs = {
            "JobService": jobs_grpc.JobServiceStub(jobs),
            "SessionService": session_grpc.SessionServiceStub(jobs),
            "VisionService": vision_grpc.VisionServiceStub(vision),
            "ReasoningService": reasoning_grpc.ReasoningServiceStub(reasoning),
            "AudioService": audio_grpc.AudioServiceStub(audio),
        }
        spoken = dialects(queue_workers=config.type_limits.get("caption_v1"))
        live = sockets(image_batch=config.image_batch, vila_prompt=config.vila_prompt)
        served = (*spoken, documentation.of(spoken, live))
        app = server.application(served, stubs, live, socket_bytes=config.socket_bytes)
        async with server.running(config, app):
            await stop.wait()


if __name__ == "__main__":
    process.run(names.BRIDGE, main)
