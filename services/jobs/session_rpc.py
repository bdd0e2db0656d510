"""The session service as gRPC sees it: each method reads, asks the core, and writes."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from mesh.jobs.v1 import session_service_pb2 as pb
from mesh.jobs.v1 import session_service_pb2_grpc as pb_grpc

from services.chassis import opening
from services.chassis.middleware import Context
from services.jobs import wire
from services.jobs.sessions.core import Sessions
from services.jobs.sessions.live import Chunk, End


class SessionServicer(pb_grpc.SessionServiceServicer):
    """Serves sessions."""

    def __init__(self, core: Sessions) -> None:
        self._core = core

    async def AnalyzeAudio(
        self, request_iterator: AsyncIterator[pb.AnalyzeAudioRequest], context: Context
    ) -> AsyncIterator[pb.AnalyzeAudioResponse]:
        """Hear a session, and tell what it comes to."""
        asked = wire.settings_from_pb(await opening.settings(request_iterator, context))
        messages: AsyncIterator[Chunk | End] = opening.rest(request_iterator, wire.spoken_from_pb)
        async with aclosing(self._core.analyze(asked, messages)) as told:
            async for each in told:
                yield wire.told_to_pb(each, words=asked.words)

    async def GetSession(
        self, request: pb.GetSessionRequest, context: Context
    ) -> pb.GetSessionResponse:
        """Tell of a session."""
        session = await self._core.get(request.session_id)
        return pb.GetSessionResponse(session=wire.session_to_pb(session))
