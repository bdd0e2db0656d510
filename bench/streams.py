"""Streams of 30 frames a second as their senders see them: when answers came, and how old their
newest frames were. Beside `Watch` a double of what is replaced: the newest five frames of each
stream, one model lock for all.
"""

import asyncio
import base64
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from mesh.types.v1 import image_pb2
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from mesh.vision.v1 import watch_pb2 as pb

from services.chassis import client
from services.media import image

FRAMES_PER_SECOND = 30
WARM_SECONDS = 3.0
OLD_WINDOW = 5


@dataclass(frozen=True)
class Reply:
    """When a reply came, after how long a run, and how old its newest frame was, in seconds."""

    at: float
    age: float
    engine: float
    """How long the engine took."""

    @property
    def over(self) -> float:
        """The age beyond what the engine took."""
        return self.age - self.engine


@dataclass
class Replies:
    """Those of a run, without its first seconds. `engine_seconds`: what the engine takes for each,
    where that is known.
    """

    engine_seconds: float | None
    begun: float = field(default_factory=time.perf_counter)
    came: list[Reply] = field(default_factory=list)

    def add(self, sent: float, took: float) -> None:
        """Take note of a reply about a frame of that time, for which the engine took so long."""
        now = time.perf_counter()
        if now - self.begun > WARM_SECONDS:
            engine = took if self.engine_seconds is None else self.engine_seconds
            self.came.append(Reply(now - self.begun, now - sent, engine))

    def rate(self, seconds: float) -> float:
        """How many came each second of a run of so many."""
        return len(self.came) / (seconds - WARM_SECONDS)


def share(values: Sequence[float], part: float) -> float:
    """The value below which that part of them lies."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


Stream = Callable[[float, Sequence[bytes], float, Replies], Awaitable[None]]
"""Sends pictures for so many seconds, after a while."""


async def run(
    stream: Stream, streams: int, pictures: Sequence[bytes], seconds: float, into: Replies
) -> Replies:
    """Run so many streams at once, whose frames come in turn."""
    async with asyncio.TaskGroup() as group:
        for at in range(streams):
            late = at / streams / FRAMES_PER_SECOND
            group.create_task(_run(stream, late, pictures, seconds, into))
    return into


async def _run(
    stream: Stream, late: float, pictures: Sequence[bytes], seconds: float, into: Replies
) -> None:
    await stream(late, pictures, seconds, into)


async def _camera(late: float, seconds: float) -> AsyncIterator[int]:
    """Tick as a camera does; one that is late skips frames."""
    begun = time.perf_counter() + late
    number = 0
    while (now := time.perf_counter() - begun) < seconds:
        due = number / FRAMES_PER_SECOND
        if now < due:
            await asyncio.sleep(due - now)
        number = max(number + 1, int((time.perf_counter() - begun) * FRAMES_PER_SECOND))
        yield number


def watching(room: str) -> Stream:
    """Streams of `Watch` to a vision room."""

    async def watch(late: float, pictures: Sequence[bytes], seconds: float, into: Replies) -> None:
        sent: dict[str, float] = {}
        async with client.channel(room) as channel:
            call = pb_grpc.VisionServiceStub(channel).Watch()

            async def read() -> None:
                async for reply in call:
                    if reply.done:
                        newest = reply.frame_ids[-1]
                        took = reply.usage.processing_time.ToTimedelta().total_seconds()
                        into.add(sent[newest], took)
                        for old in [it for it in sent if int(it) < int(newest)]:
                            del sent[old]

            reading = asyncio.create_task(read())
            async for number in _camera(late, seconds):
                frame = image_pb2.Image(data=pictures[number % len(pictures)], id=str(number))
                sent[frame.id] = time.perf_counter()
                await call.write(pb.WatchRequest(frame=frame))
            call.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    return watch


class Old:
    """What is replaced, as a double before an engine. An async context manager."""

    def __init__(self, engine: str, model: str, *, most_pixels: int = 1 << 30) -> None:
        self._url = f"http://{engine}/v1/chat/completions"
        self._name = model
        self._most_pixels = most_pixels
        self._model = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Open connections."""
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self._session.close()

    async def stream(
        self, late: float, pictures: Sequence[bytes], seconds: float, into: Replies
    ) -> None:
        """Answer one stream."""
        shown = [
            await image.prepare(it, max_pixels=self._most_pixels, field="frame") for it in pictures
        ]
        urls = [f"data:image/jpeg;base64,{base64.b64encode(it.data).decode()}" for it in shown]
        window: deque[tuple[float, str]] = deque(maxlen=OLD_WINDOW)
        asking: set[asyncio.Task[None]] = set()
        async for number in _camera(late, seconds):
            window.append((time.perf_counter(), urls[number % len(urls)]))
            if len(window) == OLD_WINDOW and not self._model.locked():
                taken = list(window)
                window.clear()
                await self._model.acquire()
                asking.add(task := asyncio.create_task(self._ask(taken, into)))
                task.add_done_callback(asking.discard)
        await asyncio.gather(*asking)

    async def _ask(self, taken: list[tuple[float, str]], into: Replies) -> None:
        begun = time.perf_counter()
        try:
            content = [{"type": "image_url", "image_url": {"url": url}} for _, url in taken]
            messages = [{"role": "user", "content": content}]
            body = {"model": self._name, "messages": messages, "max_tokens": 48}
            async with self._session.post(self._url, data=json.dumps(body)) as said:
                await said.read()
            into.add(taken[-1][0], time.perf_counter() - begun)
        finally:
            self._model.release()
