"""The media service as gRPC sees it: each method reads, asks the keeper, and writes."""

from typing import Any

import grpc.aio
from google.api.httpbody_pb2 import HttpBody
from mesh.jobs.v1 import media_service_pb2 as pb
from mesh.jobs.v1 import media_service_pb2_grpc as pb_grpc

from services.jobs import wire
from services.jobs.media import SCHEME, MediaKeeper

Context = grpc.aio.ServicerContext[Any, Any]


class MediaServicer(pb_grpc.MediaServiceServicer):
    """Serves media."""

    def __init__(self, keeper: MediaKeeper) -> None:
        self._keeper = keeper

    async def Upload(self, request: pb.UploadRequest, context: Context) -> pb.UploadResponse:
        """Keep bytes."""
        ttl = request.ttl.ToTimedelta() if request.HasField("ttl") else None
        media = await self._keeper.upload(request.content.data, ttl=ttl)
        return pb.UploadResponse(
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
