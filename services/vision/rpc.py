"""The vision service as gRPC sees it: each method reads, asks the core, and writes."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc.aio
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc

from services.chassis.errors import Unimplemented
from services.engine import wire as chat
from services.vision import wire
from services.vision.core import Vision

Context = grpc.aio.ServicerContext[Any, Any]


class VisionServicer(pb_grpc.VisionServiceServicer):
    """Serves the vision room."""

    def __init__(self, core: Vision) -> None:
        self._core = core

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
        described = await self._core.describe(request.image.data, request.prompt)
        return wire.description_to_pb(described)

    async def DescribeUpload(
        self, request: pb.DescribeUploadRequest, context: Context
    ) -> pb.DescribeUploadResponse:
        """Describe one picture sent as a raw body, whatever it says of itself."""
        described = await self._core.describe(request.image.data, request.prompt)
        return wire.upload_description_to_pb(described)

    async def Watch(
        self, request_iterator: AsyncIterator[pb.WatchRequest], context: Context
    ) -> AsyncIterator[pb.WatchResponse]:
        """Not built yet."""
        raise Unimplemented("Watch is not built yet", remedy="use Describe for each frame")
        yield  # makes this a stream

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Tell which model answers."""
        return pb.GetModelResponse(model=chat.model_to_pb(await self._core.model()))

    async def GetDevice(
        self, request: pb.GetDeviceRequest, context: Context
    ) -> pb.GetDeviceResponse:
        """Not built yet."""
        raise Unimplemented("GetDevice is not built yet", remedy="use GetModel")

    async def ReleaseMemory(
        self, request: pb.ReleaseMemoryRequest, context: Context
    ) -> pb.ReleaseMemoryResponse:
        """Not built yet."""
        raise Unimplemented("ReleaseMemory is not built yet", remedy="restart the engine instead")
