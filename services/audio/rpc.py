"""The audio service as gRPC sees it: requests to the core, its answers back."""

from collections.abc import AsyncIterator
from typing import Any

from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1 import audio_service_pb2_grpc as pb_grpc

from services.audio import wire
from services.audio.core import Audio
from services.chassis.errors import Unimplemented


class AudioServicer(pb_grpc.AudioServiceServicer):
    """Serves `mesh.audio.v1.AudioService`."""

    def __init__(self, core: Audio) -> None:
        self._core = core

    async def Transcribe(
        self, request_iterator: AsyncIterator[pb.TranscribeRequest], context: Any
    ) -> AsyncIterator[pb.TranscribeResponse]:
        """Transcribe while the audio arrives: not built yet."""
        raise Unimplemented(
            "transcription while the audio arrives is not built yet",
            remedy="record the audio and send it whole to TranscribeUpload",
        )
        yield  # Makes this a stream, as gRPC expects.

    async def TranscribeUpload(
        self, request: pb.TranscribeUploadRequest, context: Any
    ) -> pb.TranscribeUploadResponse:
        """Transcribe a recording."""
        made = await self._core.transcribe(request.audio.data, language=request.language)
        return wire.upload_response_to_pb(made, await self._core.model())

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:
        """Tell which model answers."""
        return pb.GetModelResponse(model=wire.model_to_pb(await self._core.model()))
