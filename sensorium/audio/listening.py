"""Has a mesh listen over gRPC, through its edge: audio out, words in and what they come to. A
session is taken up again where its stream broke off, and where the mesh has forgotten it, another
goes on. It knows no microphone.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import grpc
import grpc.aio
from mesh.audio.v1 import audio_service_pb2 as audio_pb
from mesh.audio.v1 import audio_service_pb2_grpc as audio_grpc
from mesh.jobs.v1 import session_service_pb2 as session_pb
from mesh.jobs.v1 import session_service_pb2_grpc as session_grpc

from sensorium.audio.continued import Continued
from sensorium.audio.unacknowledged import Unacknowledged
from sensorium.edge import Edge, until_accepted, wait_seconds, write
from services.chassis import errors, names, status

_log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 60.0
"""How long a mesh may be away before it is given up: less than it keeps a session."""
SPARE_SECONDS: Final = 90
"""How much audio that the mesh holds is kept for another session. More than it leaves unheard and
then untold, 30 s each: what is older and was told in no segment was silence.
"""
MOST_SESSIONS: Final = 3
"""So many sessions in a row are begun with the same audio: it may be what ends them."""
_SAMPLE_BYTES: Final = {
    audio_pb.AUDIO_ENCODING_UNSPECIFIED: 2,
    audio_pb.AUDIO_ENCODING_PCM16: 2,
    audio_pb.AUDIO_ENCODING_PCM_FLOAT32: 4,
    audio_pb.AUDIO_ENCODING_MULAW: 1,
}
"""Of the encodings that can be taken up at any sample."""


async def listen(
    audio: AsyncIterable[bytes], settings: audio_pb.TranscribeSettings, edge: Edge
) -> AsyncGenerator[audio_pb.TranscribeResponse, None]:
    """Tell what is heard: partial texts, segments, and at last the whole.

    A stream that breaks off is opened again, and the session goes on with the audio that was not
    acknowledged: no segment is told twice, none is missing. While too much audio waits, no more of
    it is taken. Raises a `MeshError` that does not pass within a minute, and when everything is
    told, what `audio` raised. Close it to end early.

    Of PCM and mu-law, a session that the mesh has forgotten, because its audio room was started
    again, is followed by another from the end of the last segment on: times go on, the final
    transcript is of all of them, without speakers, and the log says so. Of containers, which cannot
    be taken up in the middle, and of a session that `settings` name, it raises `NotFound`.
    """
    async with aclosing(_followed(_TRANSCRIBE, audio, settings, edge)) as answers:
        async for answer in answers:
            yield answer


async def analyze(
    audio: AsyncIterable[bytes], settings: session_pb.SessionSettings, edge: Edge
) -> AsyncGenerator[session_pb.AnalyzeAudioResponse, None]:
    """Tell what is heard, as `listen` does, then the transcript, and at last what it comes to.

    Of a session that the mesh has forgotten it raises `NotFound`: what follows from its first half
    could not be told any more.
    """
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
    session = _Session(service, settings)
    following = asyncio.create_task(session.held.follow(audio))
    failures, since = 0, 0.0
    try:
        if not await session.held.chunk(0):
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
                if session.is_forgotten(broken):
                    session.renew()
                elif not broken.passes or now - since > PATIENCE_SECONDS:
                    raise broken
                else:
                    _log.warning("the session broke off and is taken up again: %s", broken)
                await asyncio.sleep(wait_seconds(broken, failures))
                failures += 1
    finally:
        following.cancel()


class _Session:
    """One session over its streams, and where it is forgotten, the one after it."""

    def __init__(self, service: _Service, settings: Any) -> None:
        self._service = service
        self._opening = type(settings)()
        self._opening.CopyFrom(settings)
        width = _SAMPLE_BYTES.get(settings.encoding, 0)
        usual = 8_000 if settings.encoding == audio_pb.AUDIO_ENCODING_MULAW else 16_000
        self._width = width if service is _TRANSCRIBE and not settings.resume_token else 0
        self._rate = settings.sample_rate_hz or usual
        self.held = Unacknowledged(spare_bytes=SPARE_SECONDS * self._rate * self._width)
        self._whole = Continued()
        self._begin = 0
        """Where it begins, in bytes from the start of the audio."""
        self._sessions = 0
        """How many began there."""
        self._open()

    def _open(self) -> None:
        self._settings = type(self._opening)()
        self._settings.CopyFrom(self._opening)
        self._key = secrets.token_urlsafe(12)
        self._was_ready = False

    def is_forgotten(self, broken: errors.MeshError) -> bool:
        """Tell whether the mesh does not know the session any more that it had opened."""
        return isinstance(broken, errors.NotFound) and self._was_ready

    def renew(self) -> None:
        """Begin another session where all words before were told. Raises `NotFound`."""
        begin = self.held.begin
        self._sessions = self._sessions + 1 if begin == self._begin else 1
        if not self._width or self._sessions > MOST_SESSIONS:
            raise errors.NotFound(
                "the mesh has forgotten the session: what was told of it is all there is",
                remedy="begin another one with the audio that follows",
                code="SESSION_FORGOTTEN",
            )
        at = begin // self._width / self._rate
        _log.warning("the mesh has forgotten the session: another goes on from %.1f s", at)
        self._begin = begin
        self._whole.renew(timedelta(seconds=at))
        self.held.renew()
        self._open()

    async def stream(self, channel: grpc.aio.Channel, edge: Edge) -> AsyncGenerator[Any, None]:
        metadata = (*edge.metadata, (names.SESSION_HEADER, self._key))
        call = self._service.method(channel)(metadata=metadata)
        writing = None
        try:
            await until_accepted(call)
            await write(call, self._service.request(settings=self._settings))
            while (answer := await call.read()) is not grpc.aio.EOF:
                if answer.HasField("ready"):
                    self._was_ready = True
                    self._settings.session_id = answer.ready.session_id
                    self._settings.resume_token = answer.ready.resume_token
                    writing = asyncio.create_task(self._send(call, answer.ready.next_offset))
                elif answer.HasField("acknowledged"):
                    self._settings.acknowledged_offset = answer.acknowledged.offset
                    self.held.acknowledge(self._begin + answer.acknowledged.offset)
                else:
                    self._note(answer)
                    yield answer
        except grpc.RpcError as failed:
            raise status.from_rpc_error(failed) from None
        finally:
            if writing:
                writing.cancel()
            call.cancel()

    def _note(self, answer: Any) -> None:
        self._settings.received_segments += answer.HasField("segment")
        if self._width:
            self._whole.take(answer)
        if self._width and answer.HasField("segment"):
            end = answer.segment.end_offset.ToTimedelta().total_seconds()
            self.held.tell(int(end * self._rate) * self._width)

    async def _send(self, call: Any, offset: int) -> None:
        while chunk := await self.held.chunk(self._begin + offset):
            await write(call, self._service.request(chunk=chunk, chunk_offset=offset))
            offset += len(chunk)
        end = self._service.request()
        end.end.SetInParent()
        await write(call, end)
