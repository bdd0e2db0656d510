"""Not a double: the audio room as its `__main__` builds it, with given ears."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1 import audio_service_pb2_grpc as pb_grpc

from services.audio.config import AudioConfig
from services.audio.core import Audio
from services.audio.ports import Diarizer, Transcriber
from services.audio.rpc import AudioServicer
from services.chassis.server import Server

AUDIO = pb.DESCRIPTOR.services_by_name["AudioService"]


@asynccontextmanager
async def audio_room(
    transcriber: Transcriber, diarizer: Diarizer | None = None, **bounds: Any
) -> AsyncIterator[str]:
    """Serve the audio room for a block, which is given its address."""
    async with Audio(transcriber, diarizer, **bounds) as core:
        server = Server(AudioConfig(listen="127.0.0.1:0", drain_seconds=1))
        register = pb_grpc.add_AudioServiceServicer_to_server
        server.add(register, AudioServicer(core), AUDIO, health=core.health)
        async with server.running() as address:
            yield address
