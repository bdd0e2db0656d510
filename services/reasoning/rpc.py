"""The reasoning service as gRPC sees it: each method reads, asks the core, and writes."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from mesh.reasoning.v1 import reasoning_service_pb2 as pb
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as pb_grpc

from services.chassis.middleware import Context
from services.engine import wire as chat
from services.reasoning import wire
from services.reasoning.core import Reasoning


class ReasoningServicer(pb_grpc.ReasoningServiceServicer):
    """Serves the reasoning room."""

    def __init__(self, core: Reasoning) -> None:
        self._core = core

    async def Generate(self, request: pb.GenerateRequest, context: Context) -> pb.GenerateResponse:
        """Answer a conversation."""
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

    async def Extract(self, request: pb.ExtractRequest, context: Context) -> pb.ExtractResponse:
        """Answer a conversation with an object that fits a schema."""
        turns = chat.turns_from_pb(request.messages)
        sampling = wire.exact_sampling_from_pb(request.sampling)
        extracted = await self._core.extract(turns, request.json_schema, sampling)
        return wire.extracted_to_pb(extracted)

    async def Choose(self, request: pb.ChooseRequest, context: Context) -> pb.ChooseResponse:
        """Tell how likely each of some answers to a conversation is."""
        turns = chat.turns_from_pb(request.messages)
        return wire.chosen_to_pb(await self._core.choose(turns, request.answers))

    async def CountTokens(
        self, request: pb.CountTokensRequest, context: Context
    ) -> pb.CountTokensResponse:
        """Count the tokens of texts."""
        return wire.counts_to_pb(await self._core.count_tokens(request.texts))

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Tell which model answers."""
        return pb.GetModelResponse(model=chat.model_to_pb(await self._core.model()))
