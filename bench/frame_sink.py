"""A vision room that looks at no frame: it tells each second how late the frames of a stream came.
Run as `python -m bench.frame_sink HOST:PORT`.
"""

import asyncio
import json
import struct
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import uvloop
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from mesh.vision.v1 import watch_pb2

from services.chassis.config import RoomConfig
from services.chassis.server import Server

STAMP = struct.Struct("<d")
"""The time at which a frame was sent, at its end."""


class Sink(pb_grpc.VisionServiceServicer):
    """Counts."""

    async def Watch(  # noqa: N802 - the contract names it
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[Any]:
        """Reply each second with the delays of that second's frames, in milliseconds."""
        late: list[int] = []
        told = time.time()
        async for request in request_iterator:
            now = time.time()
            if not request.HasField("frame"):
                continue
            (sent,) = STAMP.unpack(request.frame.data[-STAMP.size :])
            late.append(round((now - sent) * 1000))
            if now - told >= 1:
                yield watch_pb2.WatchResponse(text=json.dumps(late), done=True)
                late.clear()
                told = now


async def main(at: str) -> None:
    """Serve until killed."""
    server = Server(RoomConfig(listen=at, drain_seconds=0))
    service = pb.DESCRIPTOR.services_by_name["VisionService"]
    server.add(pb_grpc.add_VisionServiceServicer_to_server, Sink(), service)
    async with server.running():
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
