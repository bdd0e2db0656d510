"""Has a mesh listen over gRPC, through its edge: audio out, words in, and a session taken up again
where its stream broke off, with the audio that was not acknowledged. It knows no microphone.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing, suppress
from typing import Any, Final

import grpc
import grpc.aio
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1 import audio_service_pb2_grpc as pb_grpc

from sensorium.audio.unacknowledged import Unacknowledged
from sensorium.edge import Edge, until_accepted, wait_seconds
from services.chassis import errors, status

_log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 60.0
"""How long a mesh may be away before it is given up: less than it keeps a session."""


async def listen(
    audio: AsyncIterable[bytes], settings: pb.TranscribeSettings, edge: Edge
) -> AsyncGenerator[pb.TranscribeResponse, None]:
    """Tell what is heard: partial texts, segments, and at last the whole.

    A stream that breaks off is opened again, and the session goes on with the audio that was not
    acknowledged: no segment is told twice, none is missing. While too much audio waits, no more of
    it is taken. Raises a `MeshError` that does not pass within a minute, and when everything is
    told, what `audio` raised. Close it to end early.
    """
    held = Unacknowledged()
    following = asyncio.create_task(held.follow(audio))
    session = _Session(settings, held)
    failures, since = 0, 0.0
    try:
        if not await held.chunk(0):
            await following
        async with edge.channel() as channel:
            stub = pb_grpc.AudioServiceStub(channel)
            while True:
                broken: errors.MeshError = errors.Unavailable("the stream ended early")
                try:
                    async with aclosing(session.stream(stub, edge)) as answers:
                        async for answer in answers:
                            failures = 0
                            yield answer
                            if answer.HasField("final"):
                                await following
                                return
                except errors.MeshError as failed:
                    broken = failed
                now = asyncio.get_running_loop().time()
                since = since if failures else now
                if not broken.passes or now - since > PATIENCE_SECONDS:
                    raise broken
                _log.warning("the session broke off and is taken up again: %s", broken)
                await asyncio.sleep(wait_seconds(broken, failures))
                failures += 1
    finally:
        following.cancel()


class _Session:
    """One session over its streams."""

    def __init__(self, settings: pb.TranscribeSettings, held: Unacknowledged) -> None:
        self._settings = pb.TranscribeSettings()
        self._settings.CopyFrom(settings)
        self._held = held

    async def stream(self, stub: Any, edge: Edge) -> AsyncGenerator[pb.TranscribeResponse, None]:
        call = stub.Transcribe(metadata=edge.metadata)
        writing = None
        try:
            await until_accepted(call)
            await _write(call, pb.TranscribeRequest(settings=self._settings))
            while (answer := await call.read()) is not grpc.aio.EOF:
                if answer.HasField("ready"):
                    self._note(answer.ready)
                    writing = asyncio.create_task(self._send(call, answer.ready.next_offset))
                elif answer.HasField("acknowledged"):
                    self._settings.acknowledged_offset = answer.acknowledged.offset
                    self._held.acknowledge(answer.acknowledged.offset)
                else:
                    self._settings.received_segments += answer.HasField("segment")
                    yield answer
        except grpc.RpcError as failed:
            raise status.from_rpc_error(failed) from None
        finally:
            if writing:
                writing.cancel()
            call.cancel()

    def _note(self, ready: pb.TranscribeReady) -> None:
        self._settings.session_id = ready.session_id
        self._settings.resume_token = ready.resume_token

    async def _send(self, call: Any, offset: int) -> None:
        while chunk := await self._held.chunk(offset):
            await _write(call, pb.TranscribeRequest(chunk=chunk, chunk_offset=offset))
            offset += len(chunk)
        await _write(call, pb.TranscribeRequest(end=pb.EndOfStream()))


async def _write(call: Any, request: pb.TranscribeRequest) -> None:
    # Why a call has ended is told to who reads it.
    with suppress(grpc.RpcError, asyncio.InvalidStateError):
        await call.write(request)
