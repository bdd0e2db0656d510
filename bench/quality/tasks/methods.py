"""The ways to time tasks that are scored: ours, the one that is replaced, and a rule."""

import hashlib
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from bench.quality.minds import Cost, Mind
from bench.quality.tasks.perfect import Perfect
from bench.quality.tasks.scores import Answer
from bench.quality.tasks.sequences import TASKS, Series, Shot, Span
from services.chassis.errors import InvalidInput
from services.jobs import intake
from services.jobs.content import Blob, Image, Task, TaskTimingInput, TimedTask
from services.jobs.pipelines import judging, task_timing_v1
from services.jobs.pipelines.steps import Steps
from services.jobs.pipelines.stretches import spans
from services.jobs.pipelines.work import Peers, Work

BEGIN: Final = datetime(2026, 5, 1, 8, tzinfo=UTC)
_MOST_WORDS: Final = 300
"""The tokens of an answer in words."""


class Method(Protocol):
    """Finds the stretches of each task by what is said of the pictures."""

    name: str

    async def find(self, series: Series, texts: Mapping[str, str]) -> Answer:
        """Find them, over the pictures in the order in which they were taken."""
        ...


@dataclass
class Ours:
    """The pipeline `task_timing_v1` itself, between a given description and a mind."""

    mind: Mind | Perfect
    name: str = "ours"

    async def find(self, series: Series, texts: Mapping[str, str]) -> Answer:
        """Run the pipeline, with its steps kept nowhere."""
        self.mind.cost = cost = Cost()
        images = intake.in_order(
            [Image(it.id, BEGIN + timedelta(seconds=it.seconds), it.id) for it in series.sent]
        )
        given = TaskTimingInput(
            *("", "", images),
            tasks=tuple(TimedTask(it, TASKS[it][0]) for it in series.tasks),
            most_pause_seconds=series.pause_seconds,
        )
        nowhere: Any = _Nowhere()
        eyes: Any = _Eyes(texts)
        mind: Any = self.mind
        peers = Peers(eyes, mind, nowhere, nowhere)
        work = Work(Steps(nowhere, nowhere, {}), peers, _blob, nowhere.stream, nowhere.keep)
        output = await task_timing_v1.run(given, work)
        places = {it.id: index for index, it in enumerate(series.shots)}
        found: dict[str, list[Span]] = {}
        for task in output.tasks:
            span = Span(places[task.start_image_id], places[task.end_image_id])
            found.setdefault(task.task_id, []).append(span)
        cited = [_is_good(task, image, places) for task in output.tasks for image in _cited(task)]
        return Answer(found, len(cited), sum(cited), cost)


class _Nowhere:
    async def report(self, *_: object) -> None: ...

    async def record_step(self, *_: object, **__: object) -> None: ...

    def stream(self, handle: str) -> AsyncGenerator[bytes, None]:
        raise AssertionError(f"task timing hears no recording, {handle} neither")

    async def keep(self, _: Blob) -> None: ...


@dataclass
class _Eyes:
    texts: Mapping[str, str]

    async def describe(self, picture: Blob, prompt: str) -> str:
        return self.texts[picture.data.decode()]


async def _blob(key: str) -> Blob:
    # What was sent twice has the same bytes.
    return Blob(key, "image/jpeg", key.removesuffix("-again").encode())


def _cited(task: Task) -> list[str]:
    ends = [
        it
        for end in (task.start, task.end)
        if end
        for it in (end.before_image_id, end.after_image_id)
    ]
    return [*task.evidence_image_ids, *filter(None, ends)]


def _is_good(task: Task, image: str, places: Mapping[str, int]) -> bool:
    if image not in places:
        return False
    inside = places[task.start_image_id] <= places[image] <= places[task.end_image_id]
    return inside if image in task.evidence_image_ids else True


@dataclass
class Original:
    """One free question over a table of all pictures, as vlm-node asked it, to the letter.

    It wrote what its clients asked after the table; ours ask for a form that can be read, once for
    each task. What comes back is read generously: every time of the table in it, in pairs.
    """

    mind: Mind
    name: str = "one prompt over a CSV"

    async def find(self, series: Series, texts: Mapping[str, str]) -> Answer:
        """Ask once for each task."""
        self.mind.cost = cost = Cost()
        shots = sorted(series.shots, key=_file_name)
        table = "id,timestamp,event\n" + "".join(
            f'"{_uuid(it)}","{_stamp(it)}","{texts[it.id]}"\n' for it in shots
        )
        found, cited, good = {}, 0, 0
        for task in series.tasks:
            prompt = (
                "Given the timeline in the format of id,timestamp,event\nTimeline:"
                f"{table}\n{_asked(task)}"
            )
            try:
                said = await self.mind.write([("user", prompt)], most_tokens=_MOST_WORDS)
            except InvalidInput:
                cost.too_long += 1
                continue
            stamps = re.findall(r"\d{8}_\d{6}", said)
            places = [_place(it, series.shots) for it in stamps]
            cited, good = cited + len(places), good + sum(it is not None for it in places)
            known = [it for it in places if it is not None]
            found[task] = [
                Span(min(pair), max(pair)) for pair in zip(known[::2], known[1::2], strict=False)
            ]
        return Answer(found, cited, good, cost)


def _asked(task: str) -> str:
    return (
        f"When did this go on: {TASKS[task][0]}? Answer with one line for each time it did: the "
        "timestamp of the first event in which it goes on, a dash, and the timestamp of the last. "
        "Answer NONE if it never did."
    )


def _uuid(shot: Shot) -> UUID:
    return UUID(bytes=hashlib.md5(shot.id.encode()).digest(), version=4)


def _stamp(shot: Shot) -> str:
    return f"{BEGIN + timedelta(seconds=shot.seconds):%Y%m%d_%H%M%S}"


def _file_name(shot: Shot) -> str:
    return f"photo_{_stamp(shot)}_{shot.id}"


def _place(stamp: str, shots: Sequence[Shot]) -> int | None:
    return next((index for index, it in enumerate(shots) if _stamp(it) == stamp), None)


@dataclass
class Rule:
    """A picture shows a task when a sentence has its content words and no negation."""

    name: str = "rule alone"

    async def find(self, series: Series, texts: Mapping[str, str]) -> Answer:
        """Compare words; gaps of a single picture are closed."""
        found = {}
        for task in series.tasks:
            wanted = _words(TASKS[task][0])
            shows = [
                any(wanted <= _words(it) for it in judging.sentences(texts[shot.id]))
                for shot in series.shots
            ]
            found[task] = [Span(it.start, it.end) for it in spans(shows)]
        return Answer(found)


_IDLE: Final = frozenset(
    ["a", "an", "the", "is", "are", "there", "in", "on", "of", "to", "has", "been"]
)
_AGAINST: Final = {"no", "not", "nobody", "nothing", "none"}


def _words(sentence: str) -> frozenset[str]:
    words = frozenset(re.findall(r"[a-z]+", sentence.lower()))
    return frozenset() if words & _AGAINST else frozenset(it[:5] for it in words - _IDLE)
