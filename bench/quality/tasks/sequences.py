"""Aisle sequences with their truth, from easy to hard: a function of their seed alone.

Time, occlusion and order are as cameras have them: pictures come late, twice, in a heap, or not at
all. What a picture truly shows is known of each, whatever anybody says of it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final

from models.aisle.world import Colour, Look, Scene, Worker, random_look

INTERVAL_SECONDS: Final = 2.0
UNWATCHED_SECONDS: Final = 60.0
"""Between pictures further apart nobody can say what went on: what shows on both sides is two
stretches."""
PAUSE_SECONDS: Final = 30.0
"""The pause that interrupts a task without ending it, where a sequence asks for one."""


class Level(StrEnum):
    """How hard a sequence is."""

    EASY = "easy"
    """One task, once, 10 to 60 pictures at a steady pace, one in fifty of them bad."""
    MEDIUM = "medium"
    """One to three tasks that may come back, 20 to 120 pictures, short gaps, duplicates."""
    HARD = "hard"
    """One to five tasks that come back, pause or never end, 30 to 300 pictures, occlusions, hours
    between pictures, heaps out of order."""


TASKS: Final[Mapping[str, tuple[str, Callable[[Scene], bool]]]] = {
    "stocking": ("A worker is stocking the shelf", lambda it: it.worker is Worker.STOCKING),
    "spill": ("There is a spill on the floor", lambda it: it.spill),
    "ladder": ("A ladder stands in the aisle", lambda it: it.ladder),
    "standing": ("A worker is standing in the aisle", lambda it: it.worker is Worker.STANDING),
    "empty": ("The shelf is empty", lambda it: it.box_count == 0),
}
"""What is asked for, and of which scenes it is true."""


class Fault(StrEnum):
    """Why a picture cannot be trusted."""

    OCCLUDED = "occluded"
    """Something is before the lens."""
    NOISE = "noise"
    """The sensor failed for a moment."""


@dataclass(frozen=True)
class Shot:
    """A picture of a sequence, not yet drawn."""

    id: str
    seconds: float
    """Since the first."""
    scene: Scene
    look: Look
    fault: Fault | None = None


@dataclass(frozen=True)
class Span:
    """A stretch in which a task went on: the places of its first and last picture."""

    start: int
    end: int


@dataclass(frozen=True)
class Series:
    """Pictures in the order in which they were sent, and what is true of them."""

    seed: int
    level: Level
    sent: tuple[Shot, ...]
    tasks: tuple[str, ...]
    """Of `TASKS`."""
    pause_seconds: float
    """A pause of at most this long does not end a task."""

    @property
    def shots(self) -> tuple[Shot, ...]:
        """The pictures in the order in which they were taken."""
        return tuple(sorted(self.sent, key=lambda it: it.seconds))

    def truth(self, task: str) -> tuple[Span, ...]:
        """When the task went on, over `shots`."""
        shots = self.shots
        shows = [TASKS[task][1](it.scene) for it in shots]
        times = [it.seconds for it in shots]
        return spans(shows, times, self.pause_seconds)


def spans(shows: Sequence[bool], times: Sequence[float], pause_seconds: float) -> tuple[Span, ...]:
    """The stretches of pictures that show something: by the rules that everybody is scored by."""
    found: list[Span] = []
    for index, shown in enumerate(shows):
        if not shown:
            continue
        if found:
            last = found[-1]
            follows = last.end == index - 1
            watched = all(
                b - a <= UNWATCHED_SECONDS for a, b in pairwise(times[last.end : index + 1])
            )
            if watched and (follows or times[index] - times[last.end] <= pause_seconds):
                found[-1] = Span(last.start, index)
                continue
        found.append(Span(index, index))
    return tuple(found)


@dataclass(frozen=True)
class _Plan:
    pictures: tuple[int, int]
    tasks: tuple[int, int]
    stretches: tuple[int, int]
    faults: float
    longest_fault: int
    gaps: int
    duplicates: float
    endless: float
    pauses: float
    heaped: float


_PLANS: Final = {
    Level.EASY: _Plan((10, 60), (1, 1), (1, 1), 0.02, 1, 0, 0.0, 0.0, 0.0, 0.0),
    Level.MEDIUM: _Plan((20, 120), (1, 3), (1, 2), 0.04, 2, 2, 0.02, 0.15, 0.0, 0.3),
    Level.HARD: _Plan((30, 300), (1, 5), (1, 5), 0.08, 3, 4, 0.03, 0.3, 0.5, 0.6),
}


def sequence(seed: int, level: Level) -> Series:
    """Draw up the sequence of a seed."""
    rng = random.Random(f"quality {level} {seed}")
    plan = _PLANS[level]
    count = rng.randint(*plan.pictures)
    pause_seconds = PAUSE_SECONDS if rng.random() < plan.pauses else 0.0
    scenes = _scenes(rng, plan, count, pauses=pause_seconds > 0)
    look = random_look(rng)
    shots = []
    seconds = 0.0
    for index, scene in enumerate(scenes):
        moment = replace(look, worker_dx=rng.uniform(-2, 2), reach=rng.random())
        shots.append(Shot(f"aisle-{seed}-{index:04d}", round(seconds, 3), scene, moment))
        seconds += INTERVAL_SECONDS * rng.uniform(0.8, 1.2)
    shots = _with_gaps(rng, plan, _with_faults(rng, plan, shots))
    shots += [replace(it, id=f"{it.id}-again") for it in shots if rng.random() < plan.duplicates]
    if rng.random() < plan.heaped:
        rng.shuffle(shots)
    others = rng.sample([it for it in TASKS if it != "stocking"], rng.randint(*plan.tasks) - 1)
    return Series(seed, level, tuple(shots), ("stocking", *others), pause_seconds)


def _scenes(rng: random.Random, plan: _Plan, count: int, *, pauses: bool) -> list[Scene]:
    workers = _workers(rng, plan, count, pauses=pauses)
    spill = _switching(rng, plan, count)
    ladder = _switching(rng, plan, count)
    colour = rng.choice(list(Colour))
    boxes = rng.choice((0, 0, 1, 2))
    scenes = []
    for index, worker in enumerate(workers):
        before = workers[index - 1] if index else worker
        if worker is Worker.STOCKING and before is Worker.STOCKING and rng.random() < 0.3:
            boxes = min(boxes + 1, 6)
        if worker is Worker.ABSENT and before is not Worker.ABSENT and rng.random() < 0.4:
            boxes = 0
        scenes.append(Scene(boxes, colour if boxes else None, worker, spill[index], ladder[index]))
    return scenes


def _workers(rng: random.Random, plan: _Plan, count: int, *, pauses: bool) -> list[Worker]:
    stretches = min(rng.randint(*plan.stretches), max(1, count // 12))
    kinds = [Worker.ABSENT]
    for _ in range(stretches):
        kinds += [Worker.STANDING] * (rng.random() < 0.6) + [Worker.STOCKING]
        kinds += [Worker.STANDING] * (rng.random() < 0.6) + [Worker.ABSENT]
    if rng.random() < plan.endless:
        kinds = kinds[: len(kinds) - 1 - kinds[::-1].index(Worker.STOCKING) + 1]
    if rng.random() < plan.endless / 2:
        kinds = kinds[kinds.index(Worker.STOCKING) :]
    lengths = _lengths(rng, count, len(kinds), [3 if it is Worker.STOCKING else 1 for it in kinds])
    workers = [kind for kind, length in zip(kinds, lengths, strict=True) for _ in range(length)]
    if pauses:
        _interrupt(rng, workers)
    return workers


def _lengths(rng: random.Random, count: int, parts: int, weights: Sequence[int]) -> list[int]:
    least = 2
    lengths = [least] * parts
    for part in rng.choices(range(parts), weights, k=max(0, count - least * parts)):
        lengths[part] += 1
    return lengths


def _interrupt(rng: random.Random, workers: list[Worker]) -> None:
    """Let the worker stop for a moment, twice at most."""
    for _ in range(rng.randint(1, 2)):
        length = rng.randint(2, 5)
        places = [
            at
            for at in range(3, len(workers) - length - 3)
            if all(it is Worker.STOCKING for it in workers[at - 3 : at + length + 3])
        ]
        if places:
            at = rng.choice(places)
            workers[at : at + length] = [rng.choice((Worker.STANDING, Worker.ABSENT))] * length


def _switching(rng: random.Random, plan: _Plan, count: int) -> list[bool]:
    parts = rng.randint(1, max(1, min(2 * plan.stretches[1] - 1, count // 6)))
    lengths = _lengths(rng, count, parts, [1] * parts)
    state = rng.random() < 0.3
    shows: list[bool] = []
    for length in lengths:
        shows += [state] * length
        state = not state
    return shows[:count]


def _with_faults(rng: random.Random, plan: _Plan, shots: list[Shot]) -> list[Shot]:
    index = 0
    while index < len(shots):
        length = rng.randint(1, plan.longest_fault)
        if rng.random() < plan.faults / ((1 + plan.longest_fault) / 2):
            fault = Fault.OCCLUDED if length > 1 else rng.choice(list(Fault))
            for at in range(index, min(index + length, len(shots))):
                shots[at] = replace(shots[at], fault=fault)
            index += length
        index += 1
    return shots


def _with_gaps(rng: random.Random, plan: _Plan, shots: list[Shot]) -> list[Shot]:
    for _ in range(rng.randint(0, plan.gaps)):
        at = rng.randrange(1, len(shots))
        if plan.gaps > 2 and rng.random() < 0.4:
            away = rng.uniform(10, 120) * 60
            later = [replace(it, seconds=round(it.seconds + away, 3)) for it in shots[at:]]
            shots = [*shots[:at], *later]
        elif len(shots) > 20:
            del shots[at : at + rng.randint(1, 4)]
    return shots
