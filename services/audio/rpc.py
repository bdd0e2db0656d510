"""The audio service as gRPC sees it: requests to the core, its answers back."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1 import audio_service_pb2_grpc as pb_grpc

from services.audio import wire
from services.audio.core import Audio
from services.audio.domain import Received, Voicing
from services.audio.live import Chunk, End
from services.chassis import call, opening
from services.chassis.errors import InvalidInput


class AudioServicer(pb_grpc.AudioServiceServicer):
    """Serves `mesh.audio.v1.AudioService`."""

    def __init__(self, core: Audio) -> None:
        self._core = core

    async def Transcribe(
        self, request_iterator: AsyncIterator[pb.TranscribeRequest], context: Any
    ) -> AsyncIterator[pb.TranscribeResponse]:
        """Transcribe while the audio arrives."""
        settings = await opening.settings(request_iterator, context)
        asked, words = wire.settings_from_pb(settings), settings.words
        wanted = settings.voice_activity
        messages: AsyncIterator[Chunk | End] = opening.rest(request_iterator, wire.message_from_pb)
        stream = self._core.listen(asked, call.current().tenant, messages)
        async with aclosing(stream) as told:
            async for each in told:
                if wanted or not isinstance(each, Voicing):
                    yield wire.told_to_pb(each, words=words)

    async def TranscribeUpload(
        self, request: pb.TranscribeUploadRequest, context: Any
    ) -> pb.TranscribeUploadResponse:
        """Transcribe a recording."""
        made = await self._core.transcribe(request.audio.data, wire.wish_from_pb(request))
        model = await self._core.model()
        return wire.upload_response_to_pb(made, model, words=request.words)

    async def TranscribeUploadStream(
        self, request_iterator: AsyncIterator[pb.TranscribeUploadStreamRequest], context: Any
    ) -> AsyncIterator[pb.TranscribeUploadStreamResponse]:
        """Transcribe a recording that an HTTP client sends, and tell how far it is."""
        first = await anext(request_iterator, None)
        if first is None:
            raise InvalidInput.field("audio", "is missing", remedy="send a recording")
        sent = _parts(first, request_iterator)
        following = self._core.follow_sent(sent, wire.wish_from_pb(first), field="audio")
        async with aclosing(following) as told:
            async for each in told:
                # The first answer decides the HTTP status, and what came may be no recording.
                if not isinstance(each, Received):
                    model = await self._core.model()
                    yield wire.followed_to_pb(each, model, words=first.words)

    async def TranscribeRecording(
        self, request_iterator: AsyncIterator[pb.TranscribeRecordingRequest], context: Any
    ) -> AsyncIterator[pb.TranscribeRecordingResponse]:
        """Transcribe a recording that is sent in pieces, and tell how far it is."""
        settings = await opening.settings(request_iterator, context)
        sent: AsyncIterator[Chunk | End] = opening.rest(request_iterator, wire.piece_from_pb)
        async with aclosing(self._core.follow_sent(sent, wire.wish_from_pb(settings))) as told:
            async for each in told:
                model = await self._core.model()
                yield wire.recorded_to_pb(each, model, words=settings.words)

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:
        """Tell which model answers."""
        return pb.GetModelResponse(model=wire.model_to_pb(await self._core.model()))


async def _parts(
    first: pb.TranscribeUploadStreamRequest,
    further: AsyncIterator[pb.TranscribeUploadStreamRequest],
) -> AsyncIterator[Chunk | End]:
    yield Chunk(first.audio.data)
    async for request in further:
        yield Chunk(request.audio.data)
    # An HTTP client that leaves in the middle cancels the call.
    yield End()
