"""The jobs room as the vision room meets it: it keeps what was uploaded."""

from typing import Final

import grpc.aio
from mesh.jobs.v1 import media_service_pb2 as pb
from mesh.jobs.v1 import media_service_pb2_grpc as pb_grpc

from services.chassis import client
from services.chassis.errors import InvalidInput, NotFound, Unimplemented
from services.media.fetch import Media

_SECONDS: Final = 30.0


class JobsUploads:
    """Uploads of the caller's tenant, by the jobs room's media service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = pb_grpc.MediaServiceStub(channel)

    async def get(self, media_id: str, *, field: str) -> Media:
        """Give an upload. Raises `InvalidInput` about `field` when it is unknown or expired."""
        try:
            found = await client.call(self._stub.Get, pb.GetRequest(id=media_id), timeout=_SECONDS)
        except (NotFound, Unimplemented):
            raise InvalidInput.field(
                field,
                "names no upload that is known here",
                remedy="upload it anew, or send its bytes",
                code="MEDIA_NOT_FOUND",
            ) from None
        return Media(found.content.data, found.content.content_type.lower())
