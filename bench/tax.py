"""Measure what the mesh adds to a question: milliseconds over asking the engine directly, and
questions for each second of processor time, beside LiteLLM's proxy where it is installed.

The engine is one that answers at once, so all of it is the way. The rounds of all ways are
interleaved, and each is compared within its round. Run as `python -m bench.tax --litellm PATH`;
prints one table, and ends with 1 when a bar is missed.
"""

import argparse
import asyncio
import statistics
import sys
import time
from contextlib import AsyncExitStack

import aiohttp
import uvloop

from bench import parts, questions
from bench.bars import Bars
from bench.questions import Ask

ROUNDS = 10
CALLS = 40
AT_ONCE = 8
WARM = 60
# What answers each way, beside the engine.
ROOM, EDGE, BRIDGE = ("vision",), ("vision", "edge"), ("vision", "edge", "bridge")
THROUGH = {"direct": (), "gRPC": ROOM, "REST": EDGE, "vlm": BRIDGE, "caption": BRIDGE}
PEER = "LiteLLM"
ADDED = {"text": 2.0, "image": 3.5, "base64": 5.5}
"""The most milliseconds that a way may add."""
SHARE = 4.0
"""How many times the peer's questions for each second of processor time."""


async def main() -> None:
    """Start the parts, ask, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--litellm", help="the program, in an environment of its own")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    data = questions.photo(800, 600)
    print(f"a picture of {len(data) / 1000:.0f} KB")
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(parts.mock())
        running = await stack.enter_async_context(parts.mesh(engine))
        ways = await stack.enter_async_context(questions.asking(running, data))
        if given.litellm:
            running.running[PEER] = await stack.enter_async_context(
                parts.litellm(given.litellm, engine)
            )
            session = await stack.enter_async_context(aiohttp.ClientSession())
            proxy = questions.Http(session, f"http://{running[PEER].at}/v1")
            for kind, picture in (("text", None), ("image", data)):
                body = questions.openai_body("mock", picture)
                ways[kind][PEER] = proxy.post("/chat/completions", body)
        bars = Bars()
        for kind, asks in ways.items():
            await _measure(kind, asks, running, given.rounds, bars)
    sys.exit(bars.close())


async def _measure(
    kind: str, asks: dict[str, Ask], running: parts.Parts, rounds: int, bars: Bars
) -> None:
    times: dict[str, list[float]] = {way: [] for way in asks}
    rates: dict[str, list[float]] = {way: [] for way in asks}
    for ask in asks.values():
        await asyncio.gather(*(_repeat(ask, WARM // AT_ONCE) for _ in range(AT_ONCE)))
    for _ in range(rounds):
        for way, ask in asks.items():
            times[way].append(statistics.median(await _repeat(ask, CALLS)))
        for way, ask in asks.items():
            used = _used(way, running)
            await asyncio.gather(*(_repeat(ask, CALLS) for _ in range(AT_ONCE)))
            rates[way].append(AT_ONCE * CALLS / max(_used(way, running) - used, 1e-9))
    for way in asks:
        spent = statistics.median(times[way]) * 1000
        told = f"{kind:6} {way:24} p50 {spent:6.2f} ms"
        if way != "direct":
            told += f", {_added(kind, way, times, bars)}, {_rate(kind, way, rates, bars)}"
        print(told, flush=True)


def _added(kind: str, way: str, times: dict[str, list[float]], bars: Bars) -> str:
    pairs = zip(times[way], times["direct"], strict=True)
    added = statistics.median(its - alone for its, alone in pairs) * 1000
    if way == PEER:
        return f"added {added:.2f} ms"
    bar = ADDED["base64" if "base64" in way else kind]
    return f"added {bars.at_most(f'{kind}, {way}: added', added, bar, ' ms')}"


def _rate(kind: str, way: str, rates: dict[str, list[float]], bars: Bars) -> str:
    told = f"{statistics.median(rates[way]):.0f} a CPU second"
    # What is compared is the same work: the peer is sent pictures as base64.
    same = kind == "text" or "base64" in way
    if PEER not in rates or way == PEER or not same:
        return told
    times = statistics.median(its / peer for its, peer in zip(rates[way], rates[PEER], strict=True))
    return f"{told}, {bars.at_least(f'{kind}, {way}: times {PEER}', times, SHARE)} of {PEER}'s"


def _used(way: str, running: parts.Parts) -> float:
    names = (PEER,) if way == PEER else THROUGH[way.split("_")[0].split(",")[0]]
    return running.cpu_seconds(names)


async def _repeat(ask: Ask, calls: int) -> list[float]:
    times = []
    for _ in range(calls):
        begun = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - begun)
    return times


if __name__ == "__main__":
    uvloop.run(main())
