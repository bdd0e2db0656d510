"""Task timing of a hundred pictures from end to end, beside the engine's own best throughput on the
same pictures and the loop that is replaced: one picture at a time. Run as `python -m bench.timing`.

By default both engines are mocks that work on so many requests at once and take a fixed time for
each, as an engine on a card of its own does: what is left is what the mesh adds. `--aisle` takes
the local vision model instead, which shares its processors with the mesh that is measured.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import uvloop

from bench import parts, questions
from models.aisle.world import TaskSequence, task_sequence
from sensorium.launcher import places

PICTURES = 100

CONCURRENCIES = (1, 2, 4, 8, 16)
TASK = "A worker is stocking the shelf"


async def main() -> None:
    """Measure in turns, and print a line for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--aisle", action="store_true")
    parser.add_argument("--seconds", type=float, default=0.2, help="of a mock's answer")
    parser.add_argument("--parallel", type=int, default=8, help="requests a mock works on at once")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    drawn = task_sequence(random.Random(5), frame_count=PICTURES)
    photos = [questions.encoded(it.draw(), quality=85) for it in drawn.frames]
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        mock = parts.mock(options.seconds, options.parallel)
        vision = await enter(parts.llama(4) if options.aisle else mock)
        language = await enter(parts.mock(options.seconds / 2, options.parallel))
        http = await enter(aiohttp.ClientSession(read_bufsize=1 << 24))
        url = await enter(_mesh(vision.at, language.at))
        body = _job(drawn, photos)
        await _timed(http, url, body)
        direct: dict[int, list[float]] = {it: [] for it in CONCURRENCIES}
        ours = []
        for _ in range(options.rounds):
            for concurrency, took in direct.items():
                took.append(await _direct(http, vision.at, photos, concurrency))
            ours.append(await _timed(http, url, body))
    loop = statistics.median(direct[1])
    concurrency, best = min(
        ((it, statistics.median(took)) for it, took in direct.items()), key=lambda it: it[1]
    )
    whole = statistics.median(ours)
    print(
        f"the engine asked directly, {concurrency} at once: {PICTURES / best:.1f} a second",
        f"the loop of one at a time: {PICTURES / loop:.1f}",
        f"task timing from end to end: {PICTURES / whole:.1f}, {best / whole:.2f} of the engine's "
        f"best, {loop / whole:.1f} times the loop",
        f"load of the machine after: {os.getloadavg()[0]:.1f}",
        sep="\n",
    )


def _job(drawn: TaskSequence, photos: Sequence[bytes]) -> dict[str, object]:
    images = [
        {"id": frame.image_id, "data": base64.b64encode(data).decode()}
        for frame, data in zip(drawn.frames, photos, strict=True)
    ]
    given = {"task": TASK, "images": images}
    return {"type": "task_timing_v1", "input": {"task_timing_v1": given}}


async def _timed(http: aiohttp.ClientSession, url: str, body: dict[str, object]) -> float:
    """The seconds from the sending of a job to the news of its end."""
    begun = time.perf_counter()
    async with http.post(f"{url}/mesh/v1/jobs", json=body | {"request_id": str(uuid4())}) as said:
        assert said.status == 200, await said.text()
        job = (await said.json())["job"]["id"]
    last: dict[str, object] = {}
    async with http.get(f"{url}/mesh/v1/jobs/{job}:watch") as news:
        async for line in news.content:
            if line.startswith(b"data:"):
                last = json.loads(line.removeprefix(b"data:"))["job"]
    assert last.get("state") == "JOB_STATE_COMPLETED", last.get("error")
    return time.perf_counter() - begun


async def _direct(
    http: aiohttp.ClientSession, engine: str, photos: Sequence[bytes], concurrency: int
) -> float:
    waiting = iter([questions.openai_body("", it) for it in photos])

    async def ask() -> None:
        for body in waiting:
            async with http.post(f"http://{engine}/v1/chat/completions", json=body) as said:
                assert said.status == 200, await said.text()
                await said.read()

    begun = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(concurrency)))
    return time.perf_counter() - begun


@asynccontextmanager
async def _mesh(vision: str, language: str) -> AsyncIterator[str]:
    folder = places.data()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as data:
        Path(data).chmod(0o755)
        launcher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sensorium.cli", "up", "--port", "0", "--data", data),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ
            | {
                "NO_COLOR": "1",
                "VISION_ENGINE_URL": f"http://{vision}/v1",
                "REASONING_ENGINE_URL": f"http://{language}/v1",
            },
        )
        assert launcher.stdout is not None
        try:
            url = ""
            async for line in launcher.stdout:
                if found := re.search(rb"(http://127\.0\.0\.1:\d+)/mesh/v1/", line):
                    url = found[1].decode()
                if b"The mesh is ready" in line:
                    break
            else:
                raise SystemExit("the mesh did not start")
            reading = asyncio.create_task(_discard(launcher.stdout))
            yield url
            reading.cancel()
        finally:
            launcher.send_signal(signal.SIGINT)
            await launcher.wait()


async def _discard(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


if __name__ == "__main__":
    uvloop.run(main())
