"""Streams of 30 frames a second against an engine of fixed latency: how old the newest frame of
each answer is, whether that grows, and what a scene that stays costs. Beside it what is replaced:
five frames a reply, one model lock for all.

Run as `python -m bench.live`; `--seconds 600` for the curve of ten minutes.
"""

import argparse
import asyncio
import base64
import json
import os
import statistics
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
import uvloop
from mesh.types.v1 import image_pb2
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from mesh.vision.v1 import watch_pb2 as pb

from bench import parts, questions, scene
from services.chassis import client
from services.vision.config import VisionConfig

STREAMS = 8
FRAMES_PER_SECOND = 30
ENGINE_SECONDS = 0.2
WARM_SECONDS = 3.0
PICTURES = 8
OLD_WINDOW = 5
CADENCES = (0.0, 1.0, 2.0)


@dataclass
class Replies:
    """When replies came, and how old their newest frames were then, in seconds."""

    begun: float = field(default_factory=time.perf_counter)
    came: list[tuple[float, float]] = field(default_factory=list)

    def add(self, sent: float) -> None:
        """Take note of a reply about a frame that was sent then."""
        now = time.perf_counter()
        if now - self.begun > WARM_SECONDS:
            self.came.append((now - self.begun, now - sent))


def _share(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def _camera(seconds: float, at: int) -> AsyncIterator[int]:
    """Tick as a camera does; one that is late skips frames."""
    begun = time.perf_counter() + at / STREAMS / FRAMES_PER_SECOND
    number = 0
    while (now := time.perf_counter() - begun) < seconds:
        due = number / FRAMES_PER_SECOND
        if now < due:
            await asyncio.sleep(due - now)
        number = max(number + 1, int((time.perf_counter() - begun) * FRAMES_PER_SECOND))
        yield number


async def _watch(room: str, at: int, photos: list[bytes], seconds: float, into: Replies) -> None:
    sent: dict[str, float] = {}
    async with client.channel(room) as channel:
        call = pb_grpc.VisionServiceStub(channel).Watch()

        async def read() -> None:
            async for reply in call:
                if reply.done:
                    into.add(sent[reply.frame_ids[-1]])
                    for old in [it for it in sent if int(it) < int(reply.frame_ids[-1])]:
                        del sent[old]

        reading = asyncio.create_task(read())
        async for number in _camera(seconds, at):
            frame = image_pb2.Image(data=photos[number % len(photos)], id=str(number))
            sent[frame.id] = time.perf_counter()
            await call.write(pb.WatchRequest(frame=frame))
        call.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class Old:
    """What is replaced, as a double: the newest five frames of each stream, one model for all."""

    def __init__(self, session: aiohttp.ClientSession, engine: str) -> None:
        self._session = session
        self._url = f"http://{engine}/v1/chat/completions"
        self._model = asyncio.Lock()

    async def stream(self, at: int, photos: list[bytes], seconds: float, into: Replies) -> None:
        """Answer one stream."""
        urls = [f"data:image/jpeg;base64,{base64.b64encode(it).decode()}" for it in photos]
        window: deque[tuple[float, str]] = deque(maxlen=OLD_WINDOW)
        asking: set[asyncio.Task[None]] = set()
        async for number in _camera(seconds, at):
            window.append((time.perf_counter(), urls[number % len(urls)]))
            if len(window) == OLD_WINDOW and not self._model.locked():
                taken = list(window)
                window.clear()
                await self._model.acquire()
                asking.add(task := asyncio.create_task(self._ask(taken, into)))
                task.add_done_callback(asking.discard)
        await asyncio.gather(*asking)

    async def _ask(self, taken: list[tuple[float, str]], into: Replies) -> None:
        try:
            content = [{"type": "image_url", "image_url": {"url": url}} for _, url in taken]
            body = {"model": "mock", "messages": [{"role": "user", "content": content}]}
            async with self._session.post(self._url, data=json.dumps(body)) as said:
                await said.read()
            into.add(taken[-1][0])
        finally:
            self._model.release()


Stream = Callable[[int, list[bytes], float, Replies], Awaitable[None]]


async def _measured(stream: Stream, seconds: float) -> Replies:
    into = Replies()
    photos = [questions.photo(640, 480, quality=70, seed=it) for it in range(PICTURES)]
    async with asyncio.TaskGroup() as group:
        for at in range(STREAMS):
            group.create_task(_run(stream, at, photos, seconds, into))
    return into


async def _run(stream: Stream, at: int, photos: list[bytes], seconds: float, into: Replies) -> None:
    await stream(at, photos, seconds, into)


def _tell(name: str, replies: Replies, seconds: float) -> None:
    ages = [age for _, age in replies.came]
    median, most = (1_000 * (_share(ages, it) - ENGINE_SECONDS) for it in (0.5, 0.99))
    print(
        f"{name}: {len(ages) / (seconds - WARM_SECONDS):.1f} replies a second; age of the newest "
        f"frame, engine time and {median:.0f} ms p50, {most:.0f} ms p99",
        f"  p50 in each tenth of the run: {_curve(replies, seconds)} ms",
        sep="\n",
        flush=True,
    )


def _curve(replies: Replies, seconds: float) -> str:
    tenth = seconds / 10
    ages = [[age for at, age in replies.came if int(at / tenth) == it] for it in range(10)]
    return " ".join(f"{1_000 * statistics.median(it):.0f}" if it else "-" for it in ages)


async def main() -> None:
    """Measure and print a line for each figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    async with parts.mock(ENGINE_SECONDS) as engine, parts.vision_room(engine) as room:

        async def watch(at: int, photos: list[bytes], until: float, into: Replies) -> None:
            await _watch(room.at, at, photos, until, into)

        used = room.cpu_seconds()
        ours = await _measured(watch, seconds)
        used = room.cpu_seconds() - used
        async with aiohttp.ClientSession() as session:
            old = await _measured(Old(session, engine.at).stream, seconds)
    _tell("Watch", ours, seconds)
    print(f"  {100 * used / seconds:.0f} % of a core in the room")
    _tell("what is replaced", old, seconds)
    await _tell_scene()
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")


async def _tell_scene() -> None:
    threshold = float(VisionConfig.model_fields["change_threshold"].default)
    print(f"a glance at a frame: {await scene.look_milliseconds():.2f} ms")
    found = await scene.differences(100)
    print(
        f"difference by noise at most {max(found['noise']):.3f}, by light "
        f"{max(found['light']):.3f}, by a change at least {min(found['change']):.3f}; the "
        f"threshold is {threshold}"
    )
    for cadence in CADENCES:
        of = await scene.watched(cadence=cadence, threshold=threshold)
        print(
            f"ten minutes at a cadence of {cadence:g} s: {of.answers} answers for {of.changes} "
            f"changes, {100 * (1 - of.answers / of.would_be):.1f} % saved, {of.late} late, "
            f"the slowest begun after {of.slowest:.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    uvloop.run(main())
