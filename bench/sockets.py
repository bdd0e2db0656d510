"""Measure what one bridge process carries on its sockets: frames of 640 by 480 at 30 a second, as
base64 in JSON and as bytes, with their delay from the client to the room; and the memory of sockets
that are silent.

Run as `python -m bench.sockets --streams 10 --seconds 10`; prints one line for each kind. The room
looks at no frame. Streams for a core are what the bridge's processor time for a frame allows.
"""

import argparse
import asyncio
import base64
import gc
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import psutil
import uvloop

from bench import parts, questions
from bench.frame_sink import STAMP
from sensorium.launcher import probes
from services.chassis.process import open_many_files

FPS = 30
WARM_SECONDS = 2.0
IDLE = 5_000
AT_ONCE = 50

Encode = Callable[[float], str | bytes]


async def main() -> None:
    """Start a room and a bridge, send, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, nargs="+", default=[10])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--idle", type=int, default=IDLE)
    given = parser.parse_args()
    open_many_files()
    gc.disable()
    picture = questions.photo(640, 480, quality=70)
    picture += bytes(-len(picture) % 3)
    print(f"a frame of {len(picture) / 1000:.0f} KB")
    for kind, encode in {"base64 in JSON": _json(picture), "bytes": _bytes(picture)}.items():
        for streams in given.streams:
            async with _bridge() as bridge:
                await _measure(kind, encode, bridge, streams, given.seconds)
    async with _bridge() as bridge:
        await _hold(bridge, given.idle)


def _json(picture: bytes) -> Encode:
    encoded = base64.b64encode(picture).decode()

    def encode(now: float) -> str:
        end = base64.b64encode(STAMP.pack(now)).decode()
        return f'{{"timestamp": {now}, "frame": "{encoded}{end}"}}'

    return encode


def _bytes(picture: bytes) -> Encode:
    return lambda now: picture + STAMP.pack(now)


@asynccontextmanager
async def _bridge() -> AsyncIterator[parts.Part]:
    room, at = (f"127.0.0.1:{parts.free_port()}" for _ in range(2))
    sink = parts.part(
        room,
        ("-m", "bench.frame_sink", room),
        probes.grpc_health(room, "mesh.vision.v1.VisionService"),
    )
    environment = {
        "BRIDGE_LISTEN": at,
        "BRIDGE_JOBS_TARGET": parts.NOWHERE,
        "BRIDGE_VISION_TARGET": room,
        "BRIDGE_REASONING_TARGET": parts.NOWHERE,
        "BRIDGE_AUDIO_TARGET": parts.NOWHERE,
        "BRIDGE_DRAIN_SECONDS": "0",
    }
    ready = probes.http(f"http://{at}/healthz")
    async with (
        sink,
        parts.part(at, ("-m", "gateway.bridge"), ready, environment=environment) as bridge,
    ):
        yield bridge


async def _measure(
    kind: str, encode: Encode, bridge: parts.Part, streams: int, seconds: float
) -> None:
    seconds_late: list[list[int]] = []
    sent = [0]
    async with aiohttp.ClientSession() as http:
        tasks = [
            asyncio.create_task(_stream(http, bridge, encode, i / streams, seconds_late, sent))
            for i in range(streams)
        ]
        await asyncio.sleep(WARM_SECONDS)
        seconds_late.clear()
        sent[0] = 0
        begun, cpu = time.monotonic(), bridge.cpu_seconds()
        await asyncio.sleep(seconds)
        spent, took = bridge.cpu_seconds() - cpu, time.monotonic() - begun
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    late = sorted(it for second in seconds_late for it in second)
    halves = seconds_late[: len(seconds_late) // 2], seconds_late[len(seconds_late) // 2 :]
    first, last = (statistics.median([it for second in half for it in second]) for half in halves)
    each = spent / max(1, sent[0])
    print(
        f"{kind}, {streams} streams: {sent[0] / took:.0f} frames a second sent,"
        f" {len(late) / took:.0f} arrived; {each * 1000:.2f} ms of the bridge for each,"
        f" so {1 / each / FPS:.0f} streams for a core; late p50 {late[len(late) // 2]} ms,"
        f" p99 {late[len(late) * 99 // 100]} ms; first half {first:.0f} ms, second {last:.0f} ms;"
        f" load {psutil.getloadavg()[0]:.1f}"
    )


async def _stream(
    http: aiohttp.ClientSession,
    bridge: parts.Part,
    encode: Encode,
    offset: float,
    late: list[list[int]],
    sent: list[int],
) -> None:
    async with http.ws_connect(f"ws://{bridge.at}/vila", compress=0) as socket:
        reading = asyncio.create_task(_read(socket, late))
        loop = asyncio.get_running_loop()
        due = loop.time() + offset / FPS
        while not reading.done():
            await asyncio.sleep(due - loop.time())
            message = encode(time.time())
            sending = socket.send_str if isinstance(message, str) else socket.send_bytes
            await sending(message)  # type: ignore[operator]
            sent[0] += 1
            # A camera leaves out what it could not send in time.
            due = max(due + 1 / FPS, loop.time())


async def _read(socket: aiohttp.ClientWebSocketResponse, late: list[list[int]]) -> None:
    async for message in socket:
        late += [json.loads(json.loads(message.data)["vlm_reply"])]


async def _hold(bridge: parts.Part, count: int) -> None:
    process = psutil.Process(bridge.pid)
    process = next(iter(process.children()), process)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        warm = [await http.ws_connect(f"ws://{bridge.at}/vila") for _ in range(AT_ONCE)]
        before = process.memory_full_info().uss
        sockets: list[aiohttp.ClientWebSocketResponse] = []
        while len(sockets) < count:
            opening = (http.ws_connect(f"ws://{bridge.at}/vila") for _ in range(AT_ONCE))
            sockets += await asyncio.gather(*opening)
        held = process.memory_full_info().uss - before
        print(
            f"{len(sockets)} idle sockets: {held / len(sockets) / 1000:.1f} KB each over"
            f" {before / 1e6:.0f} MB"
        )
        await asyncio.gather(*(it.close() for it in (*warm, *sockets)))


if __name__ == "__main__":
    uvloop.run(main())
