"""A vision room that looks at no frame, and tells each second how late the frames of a stream came.

Of streams on demand it wants what a room wants: a frame to look at ten times a second, and once a
second, as if an answer had its turn, those of the window. Run as
`python -m bench.frame_sink HOST:PORT`.
"""

import asyncio
import json
import struct
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import uvloop
from mesh.vision.v1 import vision_service_pb2 as vision_pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from mesh.vision.v1 import watch_pb2 as pb

from services.chassis import process
from services.chassis.config import RoomConfig
from services.chassis.server import Server
from services.vision.live.demand import LOOK_SECONDS

STAMP = struct.Struct("<d")
"""The time at which a frame was sent, at its end."""
TOLD_SECONDS = 1.0


class Stream:
    """What came of one stream."""

    def __init__(self) -> None:
        self._late: list[int] = []
        self._window = 0
        self._came = asyncio.Event()

    async def read(self, requests: AsyncIterator[Any]) -> None:
        """Take what is sent."""
        async for request in requests:
            if request.HasField("settings"):
                settings = request.settings
                self._window = settings.window_frames if settings.on_demand else 0
            elif not request.more:
                (sent,) = STAMP.unpack(request.frame.data[-STAMP.size :])
                self._late.append(round((time.time() - sent) * 1000))
            if not request.more:
                self._came.set()

    async def want(self) -> AsyncIterator[pb.WatchResponse]:
        """Want frames, and tell how late they came."""
        told = time.monotonic()
        while True:
            await self._came.wait()
            if self._window:
                await asyncio.sleep(LOOK_SECONDS)
            self._came.clear()
            is_due = time.monotonic() - told >= TOLD_SECONDS
            if is_due:
                told = time.monotonic()
                yield pb.WatchResponse(text=json.dumps(self._late), done=True)
                self._late.clear()
            if self._window:
                count = self._window if is_due else 1
                yield pb.WatchResponse(wanted=pb.WatchWanted(frames=count, at_once=is_due))


class Sink(pb_grpc.VisionServiceServicer):
    """Looks at nothing."""

    async def Watch(  # noqa: N802 - the contract names it
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[Any]:
        """Reply each second with the delays of that second's frames, in milliseconds."""
        stream = Stream()
        reading = asyncio.create_task(stream.read(request_iterator))
        try:
            async for response in stream.want():
                yield response
        finally:
            reading.cancel()


async def main(at: str) -> None:
    """Serve until killed."""
    server = Server(RoomConfig(listen=at, drain_seconds=0))
    service = vision_pb.DESCRIPTOR.services_by_name["VisionService"]
    server.add(pb_grpc.add_VisionServiceServicer_to_server, Sink(), service)  # type: ignore[abstract]
    async with server.running():
        process.rest_from_garbage()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
