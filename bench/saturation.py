"""Measure what the mesh leaves of an engine's throughput: the aisle model on llama.cpp, asked by as
many callers as keep it full, directly and through the mesh in turns.

Run as `python -m bench.saturation`; prints one table. `--engine HOST:PORT` names an engine that
runs already, such as vLLM, and `--model` its model.
"""

import argparse
import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvloop

from bench import parts, questions
from bench.questions import Ask
from models.aisle.world import Colour, Scene, Worker, draw

CALLERS = 16
ROUNDS = 8
SECONDS = 6.0
WARM_SECONDS = 20.0
WAYS = ("direct", "gRPC", "REST, raw body")


async def main() -> None:
    """Start the parts, keep the engine full in turns, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", metavar="HOST:PORT")
    parser.add_argument("--model", default="aisle")
    parser.add_argument("--callers", type=int, default=CALLERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(_engine(given.engine))
        running = await stack.enter_async_context(parts.mesh(engine))
        asks = await stack.enter_async_context(
            questions.asking(running, _scene(), model=given.model)
        )
        ways = {way: asks["image"][way] for way in WAYS}
        for ask in ways.values():
            await _answered(ask, given.callers, WARM_SECONDS)
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(given.rounds):
            for way, ask in ways.items():
                rates[way].append(await _answered(ask, given.callers, SECONDS))
    direct = statistics.median(rates["direct"])
    for way, found in rates.items():
        rate = statistics.median(found)
        print(f"{way:16} {rate:7.1f} answers a second {rate / direct:6.3f} of direct", flush=True)


@asynccontextmanager
async def _engine(at: str | None) -> AsyncIterator[parts.Part]:
    if at is not None:
        yield parts.Part(at, 0)
        return
    async with parts.llama() as engine:
        yield engine


def _scene() -> bytes:
    scene = Scene(3, Colour.RED, Worker.ABSENT, spill=False, ladder=False)
    return questions.encoded(draw(scene, random.Random(4)))


async def _answered(ask: Ask, callers: int, seconds: float) -> float:
    count, begun = 0, time.perf_counter()

    async def call() -> None:
        nonlocal count
        while True:
            await ask()
            count += 1

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(call())
    return count / (time.perf_counter() - begun)


if __name__ == "__main__":
    uvloop.run(main())
