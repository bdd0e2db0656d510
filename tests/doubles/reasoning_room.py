"""The reasoning room over real gRPC, which answers as a mind of a test says."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mesh.reasoning.v1 import reasoning_service_pb2 as pb
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as pb_grpc

from services.chassis.config import RoomConfig
from services.chassis.server import Server


class _Reasoning(pb_grpc.ReasoningServiceServicer):
    def __init__(self, mind):
        self._mind = mind

    async def Extract(self, request, context):  # noqa: N802 - the contract's name
        schema = json.loads(request.json_schema)
        told = await self._mind.extract(_turns(request), schema)
        response = pb.ExtractResponse()
        response.value.update(told)
        return response

    async def Choose(self, request, context):  # noqa: N802 - the contract's name
        probabilities = await self._mind.choose(_turns(request), tuple(request.answers))
        return pb.ChooseResponse(probabilities=probabilities, weighed=True)

    async def CountTokens(self, request, context):  # noqa: N802 - the contract's name
        counted = await self._mind.count_tokens(request.texts)
        return pb.CountTokensResponse(counts=counted.counts, exact=True)


def _turns(request):
    return [(it.role, it.parts[0].text) for it in request.messages]


@asynccontextmanager
async def serving(mind) -> AsyncIterator[str]:
    """Serve the room for a block, which is given its address."""
    server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    server.add(
        pb_grpc.add_ReasoningServiceServicer_to_server,
        _Reasoning(mind),
        pb.DESCRIPTOR.services_by_name["ReasoningService"],
    )
    async with server.running() as address:
        yield address
