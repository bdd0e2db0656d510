"""Watches frames with a mesh over gRPC, through its edge: newest frames out, answers in, and a new
stream where the old one broke. It knows no camera.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
from mesh.types.v1 import image_pb2
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from mesh.vision.v1 import watch_pb2 as pb

from sensorium.edge import Edge, until_accepted, wait_seconds
from sensorium.video.capture import Frame
from services.chassis import errors, status


async def watch(
    frames: AsyncIterable[Frame], settings: pb.WatchSettings, edge: Edge
) -> AsyncGenerator[pb.WatchResponse, None]:
    """Tell what the mesh says of the frames, until they end and the last of them is answered.

    While the mesh cannot be reached, or has too much to do, frames are dropped and it is tried
    again. Raises a `MeshError` that does not pass, and what `frames` raises. Close it to end early.
    """
    newest = _Newest()
    following = asyncio.create_task(newest.follow(frames))
    failures = 0
    try:
        async with edge.channel() as channel:
            stub = pb_grpc.VisionServiceStub(channel)
            while True:
                broken = None
                try:
                    async with aclosing(_stream(stub, newest, settings, edge)) as answers:
                        async for answer in answers:
                            failures = 0
                            yield answer
                except errors.MeshError as failed:
                    if newest.is_ended:
                        # What ended the frames is told first.
                        await following
                        raise
                    if not failed.passes:
                        raise
                    broken = failed
                if newest.is_ended:
                    break
                await asyncio.sleep(wait_seconds(broken, failures))
                failures += 1
        await following
    finally:
        following.cancel()


async def _stream(
    stub: Any, newest: "_Newest", settings: pb.WatchSettings, edge: Edge
) -> AsyncGenerator[pb.WatchResponse, None]:
    accepted = asyncio.Event()
    call = stub.Watch(newest.requests(settings, accepted), metadata=edge.metadata)
    try:
        await until_accepted(call)
        accepted.set()
        async for answer in call:
            yield answer
    except grpc.RpcError as failed:
        raise status.from_rpc_error(failed) from None
    finally:
        call.cancel()
        newest.turn_away()
        accepted.set()


class _Newest:
    """The newest frame that was not sent yet, for one stream at a time."""

    def __init__(self) -> None:
        self.is_ended = False
        self._frame: Frame | None = None
        self._came = asyncio.Event()
        self._streams = 0

    async def follow(self, frames: AsyncIterable[Frame]) -> None:
        try:
            async for frame in frames:
                self._frame = frame
                self._came.set()
        finally:
            self.is_ended = True
            self._came.set()

    def turn_away(self) -> None:
        # The call that read the requests before has ended, and does not end who writes them.
        self._streams += 1
        self._came.set()

    async def requests(
        self, settings: pb.WatchSettings, accepted: asyncio.Event
    ) -> AsyncIterator[pb.WatchRequest]:
        mine = self._streams
        await accepted.wait()
        yield pb.WatchRequest(settings=settings)
        while mine == self._streams:
            frame, self._frame = self._frame, None
            if frame is not None:
                yield pb.WatchRequest(frame=_frame_to_pb(frame))
            elif self.is_ended:
                return
            else:
                self._came.clear()
                await self._came.wait()


def _frame_to_pb(frame: Frame) -> image_pb2.Image:
    image = image_pb2.Image(data=frame.data)
    image.capture_time.FromMicroseconds(round(frame.captured * 1e6))
    return image
