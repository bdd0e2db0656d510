"""Stretches of a series as findings about its pictures: with their ids and times, with reasons that
quote what was said of them, and in a sentence for people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.jobs.content import Boundary, Interruption, Observation, Task, TimedTask
from services.jobs.pipelines.stretches import Edge, Found

_QUOTED_CHARS: Final = 200


@dataclass(frozen=True)
class Series:
    """The pictures of a job in order, as they were described."""

    seen: Sequence[Observation]
    said: Sequence[Sequence[str]]
    """The sentences of each."""


def task(
    about: TimedTask,
    found: Found,
    series: Series,
    says: Sequence[bool | None],
    tells: Sequence[str],
) -> Task:
    """Write a stretch as a finding; `tells` are the sentences that tell of the task."""
    seen, stretch = series.seen, found.stretch
    first, last = seen[stretch.start], seen[stretch.end]
    return Task(
        start_image_id=first.image_id,
        end_image_id=last.image_id,
        start_time=first.capture_time,
        end_time=last.capture_time,
        start_index=stretch.start,
        end_index=stretch.end,
        evidence_image_ids=tuple(
            seen[at].image_id for at in range(stretch.start, stretch.end + 1) if says[at]
        ),
        task_id=about.id,
        start=_boundary(found.begin, series, tells),
        end=_boundary(found.finish, series, tells),
        open_start=found.begin.is_open,
        open_end=found.finish.is_open,
        interruptions=tuple(
            Interruption(seen[it.start].image_id, seen[it.end].image_id) for it in found.pauses
        ),
    )


def summary(tasks: Sequence[TimedTask], found: Sequence[Sequence[Task]], pictures: int) -> str:
    """Say what was found: of several tasks a sentence each."""
    if len(tasks) == 1:
        return _told("The task", found[0], pictures)
    return " ".join(
        _told(f"Task {about.id}", each, pictures) for about, each in zip(tasks, found, strict=True)
    )


def _boundary(edge: Edge, series: Series, tells: Sequence[str]) -> Boundary:
    before = None if edge.before is None else series.seen[edge.before]
    after = None if edge.after is None else series.seen[edge.after]
    return Boundary(
        before_image_id=before.image_id if before else "",
        after_image_id=after.image_id if after else "",
        before_time=before.capture_time if before else None,
        after_time=after.capture_time if after else None,
        confidence=edge.confidence,
        reason=_reason(edge, series, tells),
    )


def _reason(edge: Edge, series: Series, tells: Sequence[str]) -> str:
    told = [
        _quoted(at, other, series, tells)
        for at, other in ((edge.before, edge.after), (edge.after, edge.before))
        if at is not None
    ]
    if edge.before is None:
        told.append("nobody watched before it")
    if edge.after is None:
        told.append("nobody watched after it")
    return "; ".join(told)


def _quoted(at: int, other: int | None, series: Series, tells: Sequence[str]) -> str:
    sentence = tells[at]
    if not sentence:
        # What speaks against the task is most likely what is not said on its other side.
        beside = series.said[other] if other is not None else ()
        own = series.said[at]
        sentence = next((it for it in own if it not in beside), own[0] if own else "")
    return f'picture {series.seen[at].image_id} says "{sentence[:_QUOTED_CHARS]}"'


def _told(name: str, found: Sequence[Task], pictures: int) -> str:
    if not found:
        return f"{name} was not seen in {_counted(pictures, 'picture')}."
    spans = ", then ".join(_span(it) for it in found)
    return f"{name} went on {_counted(len(found), 'time')}: {spans}."


def _span(found: Task) -> str:
    if found.start_time is None or found.end_time is None:
        told = f"from picture {found.start_image_id} to {found.end_image_id}"
    else:
        seconds = (found.end_time - found.start_time).total_seconds()
        told = (
            f"from {found.start_time:%Y-%m-%d %H:%M:%S} to {found.end_time:%H:%M:%S} UTC "
            f"({seconds:g} s; pictures {found.start_image_id} to {found.end_image_id})"
        )
    notes = [_counted(len(found.interruptions), "pause")] if found.interruptions else []
    notes += ["its beginning was not seen"] if found.open_start else []
    notes += ["its end was not seen"] if found.open_end else []
    return ", ".join([told, *notes])


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
