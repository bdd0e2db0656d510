"""Not a double: the media service of the jobs room, as its `__main__` builds it, over a folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from mesh.jobs.v1 import media_service_pb2 as pb
from mesh.jobs.v1 import media_service_pb2_grpc as pb_grpc

from services.chassis.config import RoomConfig
from services.chassis.limits import BODY_BYTES
from services.chassis.server import Server
from services.jobs.adapters import objects
from services.jobs.media import MediaKeeper, MediaRules
from services.jobs.media_rpc import MediaServicer
from services.media.spool import Shelf
from tests.doubles.job_store_memory import MemoryJobStore
from tests.doubles.media_memory import MemoryMediaIndex

_RULES = MediaRules(ttl=timedelta(hours=1), most_bytes=BODY_BYTES, quota_bytes=4 * BODY_BYTES)


@asynccontextmanager
async def media_room(folder: Path) -> AsyncIterator[str]:
    """Keep uploads in a folder for a block, which is given the address."""
    keeper = MediaKeeper(
        MemoryMediaIndex(MemoryJobStore()), objects.store_at(folder.as_uri()), _RULES
    )
    server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    server.add(
        pb_grpc.add_MediaServiceServicer_to_server,
        MediaServicer(keeper, Shelf(2 * BODY_BYTES)),
        pb.DESCRIPTOR.services_by_name["MediaService"],
    )
    async with server.running() as address:
        yield address
