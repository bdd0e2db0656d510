"""Keep the vision room busy with pictures of every size, from thumbnails to twelve megapixels, and
tell whether anything but honest overload came back and whether memory stays flat.

Run as `python -m bench.soak`; prints one table, and ends with 1 when a bar is missed: something
else came back, or the last third of the time took more memory than the first.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import time
from collections import Counter

import uvloop
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc

from bench import parts, questions
from bench.bars import Bars
from services.chassis import client
from services.chassis.errors import Exhausted, MeshError

CLIENTS = 32
SECONDS = 60.0
SIZES = ((96, 72), (320, 240), (640, 480), (1280, 960), (1920, 1080), (4000, 3000))
LONGEST_REST = 2.0
LOOK_SECONDS = 0.25
GROWTH = 1.1
"""The most that memory may have grown from the first third of the time to the last."""


async def main() -> None:
    """Start the parts, ask with all clients at once, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    given = parser.parse_args()
    pictures = [questions.photo(*size) for size in SIZES]
    asked = [questions.generation(data) for data in pictures]
    async with parts.llama() as engine, parts.mesh(engine) as running:
        room = running["vision"]
        # What a decoder keeps of its largest picture is there before it is measured.
        await _ask(room, asked, clients=given.clients, seconds=given.seconds / 2)
        held: list[float] = []
        watching = asyncio.create_task(_watch(room, held))
        found, times = await _ask(room, asked, clients=given.clients, seconds=given.seconds)
        watching.cancel()
    times.sort()
    print(f"pictures of {', '.join(f'{len(it) / 1000:.0f}' for it in pictures)} KB")
    print(f"answered {found['answered']}, p50 {times[len(times) // 2]:.2f} s, ", end="")
    print(f"p99 {times[len(times) * 99 // 100]:.2f} s")
    print(f"told of overload {found[Exhausted.reason]}")
    others = {name: n for name, n in found.items() if name not in ("answered", Exhausted.reason)}
    bars = Bars()
    print(f"anything else {bars.at_most('anything else', sum(others.values()), 0)} {others or ''}")
    third = len(held) // 3
    first, last = statistics.median(held[:third]), statistics.median(held[-third:])
    grown = bars.at_most("memory has grown by", last / first, GROWTH)
    print(f"memory of the room {first:.0f} MiB at first, {last:.0f} MiB at last: times {grown}")
    sys.exit(bars.close())


async def _watch(room: parts.Part, held: list[float]) -> None:
    while True:
        held.append(room.memory_mebibytes())
        await asyncio.sleep(LOOK_SECONDS)


async def _ask(
    room: parts.Part, asked: list[pb.GenerateRequest], *, clients: int, seconds: float
) -> tuple[Counter[str], list[float]]:
    found: Counter[str] = Counter()
    times: list[float] = []
    end = time.monotonic() + seconds

    async def one(number: int) -> None:
        async with client.channel(room.at) as channel:
            stub = pb_grpc.VisionServiceStub(channel)
            for request in itertools.islice(itertools.cycle(asked), number, None):
                begun = time.monotonic()
                if begun > end:
                    return
                try:
                    await client.call(stub.Generate, request)
                except MeshError as error:
                    found[error.code] += 1
                    if error.retry_after is not None:
                        rest = min(error.retry_after.total_seconds(), LONGEST_REST)
                        await asyncio.sleep(rest)
                else:
                    found["answered"] += 1
                    times.append(time.monotonic() - begun)

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(one(number))
    return found, times


if __name__ == "__main__":
    uvloop.run(main())
