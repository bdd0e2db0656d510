"""Measure what the mesh leaves of an engine's throughput: the aisle model on llama.cpp, asked by as
many callers as keep it full, directly and through the mesh in turns, about the same pictures in
the same words.

Run as `python -m bench.saturation`; prints one table, and ends with 1 when a bar is missed.
`--vllm PYTHON` asks vLLM instead, by the interpreter that has it; `--engine HOST:PORT` asks an
engine that runs already, and `--model` names its model. `--apart` gives the engine the first core
alone and everything else the others, as they are beside an accelerator; else all share them.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field

import uvloop

from bench import parts, questions, vllm
from bench.bars import Bars
from bench.questions import Ask
from models.aisle.world import Colour, Scene, Worker, draw

CALLERS = 16
ROUNDS = 12
SECONDS = 3.0
FILL_SECONDS = 0.5
WARM_SECONDS = 12.0
PICTURES = 64
"""So many that an engine's cache of past prompts does not answer for it."""
WAYS = ("direct", "gRPC", "REST, raw body")
BAR = 0.97


@dataclass
class Found:
    """What one way got done."""

    rates: list[float] = field(default_factory=list)
    """Answers a second in each round."""
    used: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds of processor time for an answer, by who used it."""


async def main() -> None:
    """Start the parts, keep the engine full in turns, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", metavar="HOST:PORT")
    parser.add_argument("--vllm", metavar="PYTHON")
    parser.add_argument("--model", default="aisle")
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--callers", type=int, default=CALLERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    pictures = [_scene(it) for it in range(PICTURES)]
    async with AsyncExitStack() as stack:
        with _first_core() if given.apart else nullcontext():
            engine = await stack.enter_async_context(_engine(given))
        # The model is asked plainly, or a description would come with words that others lack.
        running = await stack.enter_async_context(
            parts.mesh(engine, follows_instructions="false", model=given.model)
        )
        asks = await stack.enter_async_context(
            questions.asking(running, *pictures, model=given.model)
        )
        ways = {way: asks["image"][way] for way in WAYS}
        for ask in ways.values():
            await _answered(ask, given.callers, WARM_SECONDS)
        found = {way: Found() for way in ways}
        for number in range(given.rounds):
            # Each way is now first and now last, for the machine is not the same from end to end.
            for way in WAYS if number % 2 else reversed(WAYS):
                await _measure(found[way], ways[way], running, given.callers)
    print(f"{PICTURES} pictures of {len(pictures[0]) / 1000:.0f} KB, {given.callers} callers")
    sys.exit(_tell(found))


async def _measure(found: Found, ask: Ask, running: parts.Parts, callers: int) -> None:
    before = _used(running)
    rate, count = await _answered(ask, callers, SECONDS)
    found.rates.append(rate)
    for name, seconds in _used(running).items():
        found.used.setdefault(name, []).append((seconds - before[name]) * 1000 / count)


def _used(running: parts.Parts) -> dict[str, float]:
    used = {name: part.cpu_seconds() for name, part in running.running.items() if part.pid}
    return used | {"callers": time.process_time()}


def _tell(found: dict[str, Found]) -> int:
    bars = Bars()
    direct = found["direct"].rates
    for way, its in found.items():
        share = statistics.median(
            rate / max(alone, 1e-9) for rate, alone in zip(its.rates, direct, strict=True)
        )
        told = "" if way == "direct" else bars.at_least(way, share, BAR) + " of direct"
        spent = ", ".join(
            f"{name} {ms:.1f}"
            for name, all_ms in its.used.items()
            if (ms := statistics.median(all_ms)) >= 0.05
        )
        rate = statistics.median(its.rates)
        print(f"{way:16} {rate:6.1f} answers a second {told:34} CPU ms an answer: {spent}")
    return bars.close()


def _engine(given: argparse.Namespace) -> AbstractAsyncContextManager[parts.Part]:
    if given.engine:
        return nullcontext(parts.Part(given.engine, 0))
    return vllm.served(given.vllm) if given.vllm else parts.llama()


@contextmanager
def _first_core() -> Iterator[None]:
    """What is started in the block stays on the first core; what is started after it, on others."""
    first, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {first})
    try:
        yield
    finally:
        os.sched_setaffinity(0, others)


def _scene(number: int) -> bytes:
    chance = random.Random(number)
    scene = Scene(
        chance.randint(1, 6),
        chance.choice(list(Colour)),
        chance.choice(list(Worker)),
        spill=chance.random() < 1 / 2,
        ladder=chance.random() < 1 / 2,
    )
    return questions.encoded(draw(scene, chance))


async def _answered(ask: Ask, callers: int, seconds: float) -> tuple[float, int]:
    """Answers a second of those that keep the engine full, and all answers.

    Nobody is cut off at the end: an engine goes on with what nobody waits for any more, at the cost
    of who comes next. So it is filled first, and emptied last.
    """
    ends: list[float] = []
    begun = time.perf_counter() + FILL_SECONDS
    end = begun + seconds

    async def call() -> None:
        while time.perf_counter() < end:
            await ask()
            ends.append(time.perf_counter())

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    return sum(begun <= it < end for it in ends) / seconds, len(ends)


if __name__ == "__main__":
    uvloop.run(main())
