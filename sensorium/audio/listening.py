"""Has a mesh listen over gRPC, through its edge: audio out, words in and what they come to, and a
session taken up again where its stream broke off, with the audio that was not acknowledged. It
knows no microphone.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio
from mesh.audio.v1 import audio_service_pb2 as audio_pb
from mesh.audio.v1 import audio_service_pb2_grpc as audio_grpc
from mesh.jobs.v1 import session_service_pb2 as session_pb
from mesh.jobs.v1 import session_service_pb2_grpc as session_grpc

from sensorium.audio.unacknowledged import Unacknowledged
from sensorium.edge import Edge, until_accepted, wait_seconds
from services.chassis import errors, status

_log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 60.0
"""How long a mesh may be away before it is given up: less than it keeps a session."""


async def listen(
    audio: AsyncIterable[bytes], settings: audio_pb.TranscribeSettings, edge: Edge
) -> AsyncGenerator[audio_pb.TranscribeResponse, None]:
    """Tell what is heard: partial texts, segments, and at last the whole.

    A stream that breaks off is opened again, and the session goes on with the audio that was not
    acknowledged: no segment is told twice, none is missing. While too much audio waits, no more of
    it is taken. Raises a `MeshError` that does not pass within a minute, and when everything is
    told, what `audio` raised. Close it to end early.
    """
    async with aclosing(_followed(_TRANSCRIBE, audio, settings, edge)) as answers:
        async for answer in answers:
            yield answer


async def analyze(
    audio: AsyncIterable[bytes], settings: session_pb.SessionSettings, edge: Edge
) -> AsyncGenerator[session_pb.AnalyzeAudioResponse, None]:
    """Tell what is heard, as `listen` does, then the transcript, and at last what it comes to."""
    async with aclosing(_followed(_ANALYZE, audio, settings, edge)) as answers:
        async for answer in answers:
            yield answer


@dataclass(frozen=True)
class _Service:
    """A call that takes audio; requests and answers of all of them have the same names."""

    method: Callable[[grpc.aio.Channel], Any]
    request: type[Any]
    last: str
    """The answer after which none follows."""


_TRANSCRIBE: Final = _Service(
    lambda channel: audio_grpc.AudioServiceStub(channel).Transcribe,
    audio_pb.TranscribeRequest,
    "final",
)
_ANALYZE: Final = _Service(
    lambda channel: session_grpc.SessionServiceStub(channel).AnalyzeAudio,
    session_pb.AnalyzeAudioRequest,
    "analysis",
)


async def _followed(
    service: _Service, audio: AsyncIterable[bytes], settings: Any, edge: Edge
) -> AsyncGenerator[Any, None]:
    held = Unacknowledged()
    following = asyncio.create_task(held.follow(audio))
    session = _Session(service, settings, held)
    failures, since = 0, 0.0
    try:
        if not await held.chunk(0):
            await following
        async with edge.channel() as channel:
            while True:
                broken: errors.MeshError = errors.Unavailable("the stream ended early")
                try:
                    async with aclosing(session.stream(channel, edge)) as answers:
                        async for answer in answers:
                            failures = 0
                            yield answer
                            if answer.HasField(service.last):
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

    def __init__(self, service: _Service, settings: Any, held: Unacknowledged) -> None:
        self._service = service
        self._settings = type(settings)()
        self._settings.CopyFrom(settings)
        self._held = held

    async def stream(self, channel: grpc.aio.Channel, edge: Edge) -> AsyncGenerator[Any, None]:
        call = self._service.method(channel)(metadata=edge.metadata)
        writing = None
        try:
            await until_accepted(call)
            await _write(call, self._service.request(settings=self._settings))
            while (answer := await call.read()) is not grpc.aio.EOF:
                if answer.HasField("ready"):
                    self._settings.session_id = answer.ready.session_id
                    self._settings.resume_token = answer.ready.resume_token
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

    async def _send(self, call: Any, offset: int) -> None:
        while chunk := await self._held.chunk(offset):
            await _write(call, self._service.request(chunk=chunk, chunk_offset=offset))
            offset += len(chunk)
        end = self._service.request()
        end.end.SetInParent()
        await _write(call, end)


async def _write(call: Any, request: Any) -> None:
    # Why a call has ended is told to who reads it.
    with suppress(grpc.RpcError, asyncio.InvalidStateError):
        await call.write(request)
