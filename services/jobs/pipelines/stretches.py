"""From a verdict on each picture to the stretches that people mean.

A model errs on single pictures, so one picture alone is not believed against its neighbours:

1. a single picture that does not show the task, between two that do, is a gap, and is closed;
2. then a stretch of a single picture is a flicker, and is left out, unless nothing longer is found:
   better a task of one picture than none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Stretch:
    """Pictures that follow one another, both ends included."""

    start: int
    end: int


def stretches(shows: Sequence[bool]) -> list[Stretch]:
    """Find the stretches, in order, in which the pictures show the task."""
    found = spans(shows)
    steady = [stretch for stretch in found if stretch.start < stretch.end]
    return steady or found


def spans(shows: Sequence[bool]) -> list[Stretch]:
    """Find the stretches with their gaps closed, those of a single picture too."""
    closed = [
        shown or (0 < index < len(shows) - 1 and shows[index - 1] and shows[index + 1])
        for index, shown in enumerate(shows)
    ]
    return _runs(closed)


def _runs(shows: Sequence[bool]) -> list[Stretch]:
    runs = []
    for shown, group in groupby(enumerate(shows), key=lambda it: it[1]):
        indices = [index for index, _ in group]
        if shown:
            runs.append(Stretch(indices[0], indices[-1]))
    return runs
