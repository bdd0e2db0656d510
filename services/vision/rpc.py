"""The vision service as gRPC sees it: each method reads, asks the core, and writes."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from mesh.vision.v1 import watch_pb2

from services.chassis.middleware import Context
from services.engine import wire as chat
from services.engine.domain import SentPicture
from services.media import form
from services.vision import watch_wire, wire
from services.vision.core import Vision
from services.vision.device import Keeper
from services.vision.live.watcher import Watcher


class VisionServicer(pb_grpc.VisionServiceServicer):
    """Serves the vision room."""

    def __init__(self, core: Vision, watcher: Watcher, keeper: Keeper) -> None:
        self._core = core
        self._watcher = watcher
        self._keeper = keeper

    async def Generate(self, request: pb.GenerateRequest, context: Context) -> pb.GenerateResponse:
        """Answer a conversation of text and pictures."""
        turns = chat.turns_from_pb(request.messages)
        sampling = chat.sampling_from_pb(request.sampling)
        return wire.generated_to_pb(await self._core.generate(turns, sampling))

    async def GenerateStream(
        self, request: pb.GenerateStreamRequest, context: Context
    ) -> AsyncIterator[pb.GenerateStreamResponse]:
        """Answer a conversation piece by piece, as the model writes."""
        turns = chat.turns_from_pb(request.messages)
        sampling = chat.sampling_from_pb(request.sampling)
        async with aclosing(self._core.generate_stream(turns, sampling)) as pieces:
            async for piece in pieces:
                yield chat.piece_to_pb(pb.GenerateStreamResponse, piece)

    async def Describe(self, request: pb.DescribeRequest, context: Context) -> pb.DescribeResponse:
        """Describe one picture."""
        picture = chat.picture_from_pb(request.image)
        described = await self._core.describe(picture, wire.wish_from_pb(request))
        return wire.description_to_pb(pb.DescribeResponse, described)

    async def DescribeUpload(
        self, request: pb.DescribeUploadRequest, context: Context
    ) -> pb.DescribeUploadResponse:
        """Describe one picture sent as a raw body or as a form, whatever it says of itself."""
        body = request.image
        picture = SentPicture(form.file_of(body.data, body.content_type, field="image"))
        described = await self._core.describe(picture, wire.wish_from_pb(request))
        return wire.description_to_pb(pb.DescribeUploadResponse, described)

    async def Watch(
        self, request_iterator: AsyncIterator[watch_pb2.WatchRequest], context: Context
    ) -> AsyncIterator[watch_pb2.WatchResponse]:
        """Answer about the newest frames of a stream."""
        asked = (watch_wire.asked_from_pb(it) async for it in request_iterator)
        async with self._watcher.watch(asked) as replies:
            # Who waits for them sends no frame into a stream that is refused.
            await context.send_initial_metadata(())
            async for reply in replies:
                yield watch_wire.reply_to_pb(reply)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Tell which model answers."""
        return pb.GetModelResponse(model=chat.model_to_pb(await self._core.model()))

    async def GetDevice(
        self, request: pb.GetDeviceRequest, context: Context
    ) -> pb.GetDeviceResponse:
        """Tell what the model runs on."""
        return wire.device_to_pb(await self._keeper.device())

    async def ReleaseMemory(
        self, request: pb.ReleaseMemoryRequest, context: Context
    ) -> pb.ReleaseMemoryResponse:
        """Have the engine drop its caches."""
        return wire.relief_to_pb(await self._keeper.release())
