"""Has a mesh put a recording into words over gRPC, through its edge: a file of any size, sent in
pieces, and told how far it is.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1.audio_service_pb2_grpc import AudioServiceStub

from sensorium.edge import Edge, until_accepted, write
from sensorium.errors import Trouble
from services.chassis import status

CHUNK_BYTES: Final = 1 << 20


async def transcribe(
    recording: AsyncIterator[bytes], settings: pb.RecordingSettings, edge: Edge
) -> AsyncGenerator[pb.TranscribeRecordingResponse, None]:
    """Tell how much has come of a recording, how far it is, and last the whole.

    Raises a `MeshError`, and what `recording` raises. Close it to end early.
    """
    async with edge.channel() as channel:
        call: Any = AudioServiceStub(channel).TranscribeRecording(metadata=edge.metadata)
        is_whole = False
        try:
            await until_accepted(call)
            await write(call, pb.TranscribeRecordingRequest(settings=settings))
            while (answer := await call.read()) is not grpc.aio.EOF:
                yield answer
                # One at a time: why a call fails is lost where something is being written to it.
                if answer.HasField("received_bytes") and not is_whole:
                    data = await anext(recording, b"")
                    is_whole = not data
                    await write(call, _request(data))
        except grpc.RpcError as failed:
            raise status.from_rpc_error(failed) from None
        finally:
            call.cancel()


async def file(path: Path) -> AsyncIterator[bytes]:
    """Read a file in pieces. Raises `Trouble` when it cannot be read."""
    try:
        with await asyncio.to_thread(path.open, "rb") as opened:
            while data := await asyncio.to_thread(opened.read, CHUNK_BYTES):
                yield data
    except OSError as broken:
        raise Trouble(f"{path} cannot be read: {broken.strerror}") from None


def _request(data: bytes) -> pb.TranscribeRecordingRequest:
    if data:
        return pb.TranscribeRecordingRequest(chunk=data)
    return pb.TranscribeRecordingRequest(end=pb.EndOfRecording())
