"""Streams of 30 frames a second against an engine of fixed latency and against the real one: how
old the newest frame of each answer is, whether that grows, and what a scene that stays costs.
Beside it what is replaced.

Run as `python -m bench.live`; `--seconds 600` for the curve of ten minutes. Ends with 1 when a bar
is missed.
"""

import argparse
import os
import random
import statistics
import sys
from collections.abc import Sequence

import uvloop

from bench import parts, questions, scene
from bench.bars import Bars
from bench.streams import WARM_SECONDS, Old, Replies, run, share, watching
from models.aisle.world import random_look, random_scene
from services.vision.config import VisionConfig

STREAMS = 8
ENGINE_SECONDS = 0.2
PICTURES = 8
CADENCES = (0.0, 1.0, 2.0)
AISLE_PIXELS = 16 * 28 * 28
AGE, GROWTH = 40.0, 10.0
GLANCE = 1.0
SAVED = 90.0
TENTHS = 10
OLD_SECONDS = 60.0


async def main() -> None:
    """Measure and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--engines", nargs="+", choices=("mock", "real"), default=["mock", "real"])
    given = parser.parse_args()
    bars = Bars()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if "mock" in given.engines:
        photos = [questions.photo(640, 480, quality=70, seed=it) for it in range(PICTURES)]
        async with parts.mock(ENGINE_SECONDS) as engine, parts.vision_room(engine) as room:
            print("an engine of 200 ms:")
            await _compare(
                bars, room, Old(engine.at, "mock"), photos, given.seconds, ENGINE_SECONDS
            )
    if "real" in given.engines:
        rng = random.Random(6)
        aisles = [scene.camera(random_scene(rng), random_look(rng)) for _ in range(PICTURES)]
        settings = {"follows_instructions": "false", "image_pixels": str(AISLE_PIXELS)}
        async with parts.llama() as engine, parts.vision_room(engine, **settings) as room:
            print("the aisle model on llama.cpp, shown pictures of its own size:")
            old = Old(engine.at, "aisle", most_pixels=AISLE_PIXELS)
            await _compare(bars, room, old, aisles, given.seconds, None)
    await _tell_scene(bars)
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    sys.exit(bars.close())


async def _compare(
    bars: Bars,
    room: parts.Part,
    old: Old,
    pictures: Sequence[bytes],
    seconds: float,
    engine: float | None,
) -> None:
    """Run both on an engine that takes so long for each answer; None: it takes what it takes."""
    used = room.cpu_seconds()
    ours = await run(watching(room.at), STREAMS, pictures, seconds, Replies(engine))
    used = room.cpu_seconds() - used
    shorter = min(seconds, OLD_SECONDS)
    async with old:
        theirs = await run(old.stream, STREAMS, pictures, shorter, Replies(engine))
    _tell("Watch", ours, seconds)
    print(f"  {100 * used / seconds:.0f} % of a core in the room")
    _tell("what is replaced", theirs, shorter)
    over = [1_000 * it.over for it in ours.came]
    late = bars.at_most("age over the engine, p99", share(over, 0.99), AGE, " ms")
    medians = [it for it, _ in _tenths(ours, seconds)]
    first, last = statistics.mean(medians[:3]), statistics.mean(medians[-3:])
    grown = bars.at_most("growth of the age", last - first, GROWTH, " ms")
    times = ours.rate(seconds) / max(theirs.rate(shorter), 1e-9)
    rate = bars.at_least("replies for one of what is replaced", times, 1)
    print(f"  age over the engine, p99: {late}\n  its median has grown by {grown}")
    print(f"  replies for one of what is replaced: {rate}", flush=True)


def _tell(name: str, replies: Replies, seconds: float) -> None:
    if not replies.came:
        print(f"{name}: no reply")
        return
    over = [1_000 * it.over for it in replies.came]
    ages = [1_000 * it.age for it in replies.came]
    print(
        f"{name}: {replies.rate(seconds):.1f} replies a second; age of the newest "
        f"frame {share(ages, 0.5):.0f} ms p50, {share(ages, 0.99):.0f} ms p99; over the engine "
        f"{share(over, 0.5):.0f} ms p50, {share(over, 0.99):.0f} ms p99",
    )
    tenths = _tenths(replies, seconds)
    print(f"  over the engine, p50 by tenths: {' '.join(f'{it:.0f}' for it, _ in tenths)} ms")
    print(f"  and p99: {' '.join(f'{it:.0f}' for _, it in tenths)} ms", flush=True)


def _tenths(replies: Replies, seconds: float) -> list[tuple[float, float]]:
    """The median and the 99th percentile of each tenth of a run, after its first seconds."""
    tenth = (seconds - WARM_SECONDS) / TENTHS
    over: list[list[float]] = [[] for _ in range(TENTHS)]
    for it in replies.came:
        over[min(TENTHS - 1, int((it.at - WARM_SECONDS) / tenth))].append(1_000 * it.over)
    return [(statistics.median(it), share(it, 0.99)) for it in over if it]


async def _tell_scene(bars: Bars) -> None:
    threshold = float(VisionConfig.model_fields["change_threshold"].default)
    took = bars.at_most("a glance", await scene.look_milliseconds(), GLANCE, " ms")
    found = await scene.differences(100)
    same = bars.at_most("a scene that stays", max(found["noise"] + found["light"]), threshold)
    other = bars.at_least("a change", min(found["change"]), threshold)
    print(f"a glance at a frame: {took}")
    print(f"difference by noise or light {same}, by one change {other}")
    for cadence in CADENCES:
        of = await scene.watched(cadence=cadence, threshold=threshold)
        saved = bars.at_least("saved", 100 * (1 - of.answers / of.would_be), SAVED, " %")
        late = bars.at_most("changes that were late", of.late, 0)
        print(
            f"ten minutes at a cadence of {cadence:g} s: {of.answers} answers for {of.changes} "
            f"changes; saved {saved}; not answered within one cadence {late}; the slowest begun "
            f"after {of.slowest:.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    uvloop.run(main())
