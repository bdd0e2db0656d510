"""The media service as gRPC sees it: each method reads, asks the keeper, and writes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from google.api.httpbody_pb2 import HttpBody
from mesh.jobs.v1 import media_service_pb2 as pb
from mesh.jobs.v1 import media_service_pb2_grpc as pb_grpc

from services.chassis.errors import TimedOut
from services.chassis.middleware import Context
from services.jobs import wire
from services.jobs.media import SCHEME, MediaKeeper
from services.media.spool import Shelf

_IDLE_SECONDS: Final = 60.0
"""How long a client may send nothing."""


class MediaServicer(pb_grpc.MediaServiceServicer):
    """Serves media."""

    def __init__(self, keeper: MediaKeeper, shelf: Shelf) -> None:
        self._keeper = keeper
        self._shelf = shelf

    async def Upload(self, request: pb.UploadRequest, context: Context) -> pb.UploadResponse:
        """Keep bytes."""
        ttl = request.ttl.ToTimedelta() if request.HasField("ttl") else None
        media = await self._keeper.upload(request.content.data, ttl=ttl)
        return pb.UploadResponse(
            uri=f"{SCHEME}{media.id}", expire_time=wire.time_to_pb(media.expire_time)
        )

    async def UploadStream(
        self, request_iterator: AsyncIterator[pb.UploadStreamRequest], context: Context
    ) -> pb.UploadStreamResponse:
        """Keep bytes that come in parts."""
        ttl: timedelta | None = None
        async with self._shelf.spool("content") as spool:
            async for request in _coming(request_iterator):
                if not spool.size and request.HasField("ttl"):
                    ttl = request.ttl.ToTimedelta()
                await spool.add(request.content.data)
            media = await self._keeper.upload(spool, ttl=ttl)
        return pb.UploadStreamResponse(
            uri=f"{SCHEME}{media.id}", expire_time=wire.time_to_pb(media.expire_time)
        )

    async def Delete(self, request: pb.DeleteRequest, context: Context) -> pb.DeleteResponse:
        """Let bytes go."""
        await self._keeper.delete(request.id)
        return pb.DeleteResponse()

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.GetResponse:
        """Give bytes back, as what they are and not as what their sender called them."""
        blob = await self._keeper.get(request.id)
        return pb.GetResponse(content=HttpBody(content_type=blob.media_type, data=blob.data))


async def _coming(
    requests: AsyncIterator[pb.UploadStreamRequest],
) -> AsyncIterator[pb.UploadStreamRequest]:
    while True:
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                request = await anext(requests, None)
        except TimeoutError:
            told = f"nothing was sent for {_IDLE_SECONDS:g} seconds"
            raise TimedOut(told, remedy="send the recording again") from None
        if request is None:
            return
        yield request
