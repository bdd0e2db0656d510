"""Measure what one bridge process carries on its sockets: frames of 640 by 480 at 30 a second, as
base64 in JSON and as bytes, with their delay from the client to the room; the memory of sockets
that are silent, and what thousands leave that come and go.

Run as `python -m bench.sockets`; ends with 1 when a bar is missed. The room
looks at no frame, but wants as many as one that does. Streams for a core are what the bridge's
processor time for a frame allows. A frame that is wanted is up to 33 ms old when it is sent.
"""

import argparse
import asyncio
import base64
import gc
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import psutil
import uvloop

from bench import parts, questions
from bench.bars import Bars
from bench.frame_sink import STAMP
from sensorium.launcher import probes
from services.chassis.process import open_many_files

FPS = 30
WARM_SECONDS = 2.0
IDLE = 5_000
AT_ONCE = 50
ROUNDS = 3
BARS = {"base64 in JSON": 40, "bytes": 100}
"""How many streams one core has to carry."""
GROWTH, IDLE_KILOBYTES, LEFT_KILOBYTES = 10.0, 40.0, 1.0

Encode = Callable[[float], str | bytes]


async def main() -> None:
    """Start a room and a bridge, send, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, nargs="+", default=[40, 100])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--idle", type=int, default=IDLE)
    given = parser.parse_args()
    bars = Bars()
    open_many_files()
    gc.disable()
    picture = questions.photo(640, 480, quality=70)
    picture += bytes(-len(picture) % 3)
    print(f"a frame of {len(picture) / 1000:.0f} KB")
    for kind, encode in {"base64 in JSON": _json(picture), "bytes": _bytes(picture)}.items():
        for streams in given.streams:
            async with _bridge() as bridge:
                await _measure(bars, kind, encode, bridge, streams, given.seconds)
    async with _bridge() as bridge:
        await _hold(bars, bridge, given.idle)
    async with _bridge() as bridge:
        await _come_and_go(bars, bridge, _json(picture)(time.time()), given.idle)
    sys.exit(bars.close())


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
    bars: Bars, kind: str, encode: Encode, bridge: parts.Part, streams: int, seconds: float
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
    if not late:
        raise SystemExit(f"{kind}, {streams} streams: no frame arrived; the machine has no time")
    middle = len(seconds_late) // 2
    first, last = (
        statistics.median(it for second in half for it in second)
        for half in (seconds_late[:middle] or [late], seconds_late[middle:])
    )
    each = spent / max(1, sent[0])
    name = f"{kind}, {streams} streams"
    carried = bars.at_least(name, 1 / each / FPS, BARS[kind], " for a core")
    grown = ""
    if streams >= BARS[kind]:
        grown = f", its median grown by {bars.at_most(name, last - first, GROWTH, ' ms')}"
    print(
        f"{name}: {carried}; {sent[0] / took:.0f} frames a second sent, {len(late) / took:.0f}"
        f" wanted; {each * 1000:.2f} ms of the bridge for each sent; late p50"
        f" {late[len(late) // 2]} ms, p99 {late[len(late) * 99 // 100]} ms{grown};"
        f" load {psutil.getloadavg()[0]:.1f}",
        flush=True,
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
            if isinstance(message, str):
                await socket.send_str(message)
            else:
                await socket.send_bytes(message)
            sent[0] += 1
            # A camera leaves out what it could not send in time.
            due = max(due + 1 / FPS, loop.time())


async def _read(socket: aiohttp.ClientWebSocketResponse, late: list[list[int]]) -> None:
    async for message in socket:
        late += [json.loads(json.loads(message.data)["vlm_reply"])]


async def _hold(bars: Bars, bridge: parts.Part, count: int) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        warm = [await http.ws_connect(f"ws://{bridge.at}/vila") for _ in range(AT_ONCE)]
        before = _memory(bridge)
        sockets: list[aiohttp.ClientWebSocketResponse] = []
        while len(sockets) < count:
            opening = (http.ws_connect(f"ws://{bridge.at}/vila") for _ in range(AT_ONCE))
            sockets += await asyncio.gather(*opening)
        each = (_memory(bridge) - before) / max(1, len(sockets))
        told = bars.at_most("an idle socket", each, IDLE_KILOBYTES, " KB")
        print(f"{len(sockets)} idle sockets over {before / 1000:.0f} MB, each {told}", flush=True)
        await asyncio.gather(*(it.close() for it in (*warm, *sockets)))


async def _come_and_go(bars: Bars, bridge: parts.Part, frame: str | bytes, count: int) -> None:
    """Let thousands come, send and leave, each third without a word; and as many again, twice."""
    held = []
    begun = time.monotonic()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        for _ in range(ROUNDS):
            for _ in range(count // AT_ONCE):
                await asyncio.gather(*(_visit(http, bridge, frame, at) for at in range(AT_ONCE)))
            await asyncio.sleep(WARM_SECONDS)
            held.append(_memory(bridge))
    rate = ROUNDS * count / (time.monotonic() - begun)
    left = (held[-1] - held[-2]) / max(1, count)
    told = bars.at_most("left by a socket", left, LEFT_KILOBYTES, " KB")
    print(
        f"{ROUNDS * count} sockets came and went, {rate:.0f} a second; {held[-1] / 1000:.0f} MB"
        f" then; each of the last {count} left {told}"
    )


async def _visit(
    http: aiohttp.ClientSession, bridge: parts.Part, frame: str | bytes, at: int
) -> None:
    socket = await http.ws_connect(f"ws://{bridge.at}/vila", compress=0)
    assert isinstance(frame, str)
    await socket.send_str(frame)
    if at % 3 == 0 and socket._response.connection is not None:
        transport = socket._response.connection.transport
        assert transport is not None
        transport.abort()
    await socket.close()


def _memory(bridge: parts.Part) -> float:
    """In kilobytes."""
    process = psutil.Process(bridge.pid)
    process = next(iter(process.children()), process)
    return float(process.memory_full_info().uss) / 1000


if __name__ == "__main__":
    uvloop.run(main())
