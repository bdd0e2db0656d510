"""Measure what the mesh adds to a question: milliseconds over asking the engine directly, and
questions for each second of processor time, beside LiteLLM's proxy where it is installed.

The engine is one that answers at once, so all of it is the way. Run as
`python -m bench.tax --litellm PATH`; prints one table. The rounds of all ways are interleaved.
"""

import argparse
import asyncio
import statistics
import time
from contextlib import AsyncExitStack

import aiohttp
import uvloop

from bench import parts, questions
from bench.questions import Ask

ROUNDS = 10
CALLS = 40
AT_ONCE = 8
WARM = 60
# What answers each way, beside the engine.
ROOM, EDGE, BRIDGE = ("vision",), ("vision", "edge"), ("vision", "edge", "bridge")
THROUGH = {"direct": (), "gRPC": ROOM, "REST": EDGE, "vlm": BRIDGE, "caption": BRIDGE}
PEER = "LiteLLM"


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
        for kind, asks in ways.items():
            await _measure(kind, asks, running, given.rounds)


async def _measure(kind: str, asks: dict[str, Ask], running: parts.Parts, rounds: int) -> None:
    times: dict[str, list[float]] = {way: [] for way in asks}
    rates: dict[str, list[float]] = {way: [] for way in asks}
    for ask in asks.values():
        await asyncio.gather(*(_repeat(ask, WARM // AT_ONCE) for _ in range(AT_ONCE)))
    for _ in range(rounds):
        for way, ask in asks.items():
            times[way] += await _repeat(ask, CALLS)
        for way, ask in asks.items():
            used = _used(way, running)
            await asyncio.gather(*(_repeat(ask, CALLS) for _ in range(AT_ONCE)))
            rates[way].append(AT_ONCE * CALLS / max(_used(way, running) - used, 1e-9))
    direct = statistics.median(times["direct"])
    for way in asks:
        spent = statistics.median(times[way])
        added = "" if way == "direct" else f"{(spent - direct) * 1000:6.2f} ms added"
        rate = "" if way == "direct" else f"{statistics.median(rates[way]):7.0f} /CPU s"
        print(f"{kind:6} {way:24} p50 {spent * 1000:6.2f} ms {added:18} {rate}", flush=True)


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
