"""A vision room over real gRPC whose `Watch` answers what a test says, stream by stream, and whose
answers to pictures come when it says so. It wants each frame that is sent on demand.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from mesh.vision.v1 import watch_pb2

from services.chassis import call
from services.chassis.config import RoomConfig
from services.chassis.errors import MeshError
from services.chassis.server import Server

VISION = pb.DESCRIPTOR.services_by_name["VisionService"]
SECONDS = 10
WANTED = watch_pb2.WatchResponse(wanted=watch_pb2.WatchWanted(frames=1))


class Stream:
    """One `Watch`."""

    def __init__(self) -> None:
        self.tenant = call.current().tenant
        self.priority = call.current().priority
        self.settings: list[watch_pb2.WatchSettings] = []
        self.frames: list[Any] = []
        self.more: list[bool] = []
        """Whether each was followed by another at once."""
        self.changed = asyncio.Condition()
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.is_left = False
        """Whether nothing more will be sent."""
        self.is_ended = False
        self.reads = asyncio.Event()
        self.reads.set()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        self.reads.clear()
        yield
        self.reads.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(SECONDS), self.changed:
            await self.changed.wait_for(lambda: condition(self))

    def reply(self, text: str) -> None:
        self.answers.put_nowait(watch_pb2.WatchResponse(text=text, done=True))

    def want(self, frames: int) -> None:
        wanted = watch_pb2.WatchWanted(frames=frames, at_once=True)
        self.answers.put_nowait(watch_pb2.WatchResponse(wanted=wanted))

    def fail(self, error: MeshError) -> None:
        self.answers.put_nowait(error)

    async def read(self, requests: AsyncIterator[watch_pb2.WatchRequest]) -> None:
        async for request in requests:
            await self.reads.wait()
            async with self.changed:
                if request.HasField("settings"):
                    self.settings.append(request.settings)
                else:
                    self.frames.append(request.frame)
                    self.more.append(request.more)
                if self.settings[-1].on_demand and not request.more:
                    self.answers.put_nowait(WANTED)
                self.changed.notify_all()
        async with self.changed:
            self.is_left = True
            self.changed.notify_all()


class WatchingRoom(pb_grpc.VisionServiceServicer):
    """Notes every stream."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.refuses: MeshError | None = None
        self.opened = asyncio.Condition()
        self.address = ""

    async def stream(self, place: int = -1, *, count: int = 1) -> Stream:
        """Wait until so many streams were opened, and take one of them."""
        async with asyncio.timeout(SECONDS), self.opened:
            await self.opened.wait_for(lambda: len(self.streams) >= count)
        return self.streams[place]

    async def Watch(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
        if self.refuses is not None:
            raise self.refuses
        await context.send_initial_metadata(())
        stream = Stream()
        async with self.opened:
            self.streams.append(stream)
            self.opened.notify_all()
        reading = asyncio.create_task(stream.read(request_iterator))
        try:
            while True:
                answer = await stream.answers.get()
                try:
                    if answer is None:
                        return
                    if isinstance(answer, MeshError):
                        raise answer
                    yield answer
                finally:
                    stream.answers.task_done()
        finally:
            reading.cancel()
            stream.is_ended = True
            while not stream.answers.empty():
                stream.answers.get_nowait()
                stream.answers.task_done()
            async with stream.changed:
                stream.changed.notify_all()


@asynccontextmanager
async def watching() -> AsyncIterator[WatchingRoom]:
    """Serve the double for a block."""
    room = WatchingRoom()
    server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    server.add(pb_grpc.add_VisionServiceServicer_to_server, room, VISION)
    async with server.running() as room.address:
        yield room
