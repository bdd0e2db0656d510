"""An aisle that a camera watches for ten minutes: what is paid for, and how soon changes are seen.

Time is not real, so that ten minutes take seconds; the pictures and the glances at them are.
"""

import io
import random
import statistics
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from PIL import Image, ImageChops

from models.aisle.world import Look, Scene, Worker, random_look, random_scene, render
from services.chassis.pool import Account, Pool
from services.engine.domain import Answer, FinishReason
from services.media.glance import Glance, glance
from services.vision.live import domain, steps, stream

SIZE = (640, 480)
FRAMES_PER_SECOND = 30
LENGTH_SECONDS = 600.0
ENGINE_SECONDS = 0.2
NOISES = 4
CHANGE_SECONDS = (10.0, 60.0)
"""The least and the most between two changes."""


@dataclass(frozen=True)
class Watched:
    """What came of a sequence."""

    answers: int
    would_be: int
    """Answers if every frame were worth one."""
    changes: int
    late: int
    """Changes that were not answered within one cadence."""
    slowest: float
    """The seconds from a change to the start of its answer, at most."""


def camera(scene: Scene, look: Look, *, light: int = 0) -> bytes:
    """A JPEG of quality 70 with a camera's noise."""
    drawn = render(scene, look, scale=5).resize(SIZE, Image.Resampling.BICUBIC)
    noise = Image.merge("RGB", (Image.effect_noise(SIZE, 6),) * 3)
    written = io.BytesIO()
    ImageChops.add(drawn, noise, 1, light - 128).save(written, "JPEG", quality=70)
    return written.getvalue()


def changed(scene: Scene, rng: random.Random) -> Scene:
    """The scene with one thing changed: a box, the worker, the floor or the ladder."""
    boxes = replace(scene, box_count=scene.box_count + (1 if scene.box_count < 4 else -1))
    worker = replace(scene, worker=rng.choice([it for it in Worker if it is not scene.worker]))
    floor, ladder = replace(scene, spill=not scene.spill), replace(scene, ladder=not scene.ladder)
    return rng.choice([boxes, worker, floor, ladder])


async def differences(scenes: int) -> dict[str, list[float]]:
    """How much frames of one scene differ by noise and light, and how much by one change."""
    rng = random.Random(3)
    found: dict[str, list[float]] = {"noise": [], "light": [], "change": []}
    for _ in range(scenes):
        look, scene = random_look(rng), _with_boxes(rng)
        before = await glance(camera(scene, look), field="frame")
        others = {
            "noise": camera(scene, look),
            "light": camera(scene, look, light=4),
            "change": camera(changed(scene, rng), look),
        }
        for name, data in others.items():
            found[name].append(before.difference(await glance(data, field="frame")))
    return found


async def look_milliseconds() -> float:
    """The median time of a glance at a frame."""
    rng = random.Random(4)
    data = camera(_with_boxes(rng), random_look(rng))
    took = []
    for _ in range(200):
        begun = time.perf_counter()
        await glance(data, field="frame")
        took.append(time.perf_counter() - begun)
    return 1_000 * statistics.median(took)


async def watched(*, cadence: float, threshold: float) -> Watched:
    """Watch the sequence through the state of a stream."""
    rng = random.Random(5)
    look, scene = random_look(rng), _with_boxes(rng)
    of = stream.Stream(Account(Pool(1 << 30, holders=1)), threshold=threshold)
    of.set(domain.Settings(cadence=cadence))
    pictures = await _pictures(scene, look)
    next_change, changes, noticed = rng.uniform(*CHANGE_SECONDS), [], []
    busy: tuple[domain.Shot, float] | None = None
    answers = 0
    for number in range(round(LENGTH_SECONDS * FRAMES_PER_SECOND)):
        now = number / FRAMES_PER_SECOND
        if now >= next_change and now < LENGTH_SECONDS - CHANGE_SECONDS[0]:
            scene = changed(scene, rng)
            pictures = await _pictures(scene, look)
            changes.append(now)
            next_change = now + rng.uniform(*CHANGE_SECONDS)
        data, seen = rng.choice(pictures)
        of.add(domain.Frame(str(number), data, datetime.now(UTC), now, seen=seen))
        if busy is not None and busy[1] <= now:
            of.answered(busy[0], Answer("", FinishReason.STOP, 0, 0, ""), now)
            busy = None
        while busy is None:
            match of.next(now):
                case steps.Look(frame) if frame.seen is not None:
                    of.looked(frame, frame.seen)
                case steps.Ask():
                    shot = of.begin(now)
                    assert shot is not None
                    busy, answers = (shot, now + ENGINE_SECONDS), answers + 1
                    noticed.append(shot.frames[-1].received)
                case steps.Tell():
                    pass
                case _:
                    break
    waits = [min((it for it in noticed if it >= at), default=1e9) - at for at in changes]
    # An answer that is under way when something changes is waited for besides.
    late = sum(it > cadence + ENGINE_SECONDS + 2 / FRAMES_PER_SECOND for it in waits)
    would_be = int(LENGTH_SECONDS / max(cadence, ENGINE_SECONDS))
    return Watched(answers, would_be, len(changes), late, max(waits))


async def _pictures(scene: Scene, look: Look) -> list[tuple[bytes, Glance]]:
    made = [camera(scene, look) for _ in range(NOISES)]
    return [(it, await glance(it, field="frame")) for it in made]


def _with_boxes(rng: random.Random) -> Scene:
    while not (scene := random_scene(rng)).box_count:
        pass
    return scene
