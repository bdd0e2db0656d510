"""From what each picture says of something to the stretches that people mean.

1. *Distances.* Pictures stand on a timeline by when they were taken; the usual distance is the
   median. Where two are more than `UNWATCHED` of these apart, and further than a pause that is
   allowed for, nobody watched: what shows on both sides is two stretches, the first open at its end
   and the second at its start. A picture at the same time as the one before that says the same
   is the same once more, and tells nothing.
2. *Beliefs.* `chain` weighs each picture against its neighbours: one that contradicts both is
   overruled, two that agree are not. One that says nothing is neither for nor against.
3. *Stretches.* Those in which it is rather on than off, from the first picture that shows it to
   the last. One that a single picture shows is left out, unless nothing longer is found in a series
   so short that none of its pictures is likely to err: better one of a single picture than none.
   Then gaps of a single picture are closed, and that is all.
4. *Pauses.* Stretches no further apart than an allowed pause are one, interrupted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from statistics import median
from typing import Final

from services.jobs.pipelines import chain

UNWATCHED: Final = 30.0
"""How many usual distances are too long for anybody to say what went on between."""


@dataclass(frozen=True)
class Stretch:
    """Pictures that follow one another, both ends included."""

    start: int
    end: int


@dataclass(frozen=True)
class Edge:
    """Where a stretch begins or ends: between two pictures."""

    before: int | None
    """The last picture before it that tells. None: there is none, or nobody watched."""
    after: int | None
    """The first picture after it that tells."""
    confidence: float
    """How likely it lies between the two."""

    @property
    def is_open(self) -> bool:
        """Whether nobody saw it."""
        return self.before is None or self.after is None


@dataclass(frozen=True)
class Found:
    """A stretch with all that is known of it."""

    stretch: Stretch
    begin: Edge
    finish: Edge
    pauses: tuple[Stretch, ...]


@dataclass(frozen=True)
class Timeline:
    """What is known of a series."""

    says: tuple[bool | None, ...]
    """What each picture says for itself."""
    likely: tuple[float, ...]
    """How likely it is on in each."""
    found: tuple[Found, ...]


def timeline(
    says: Sequence[bool | None],
    times: Sequence[datetime | None],
    *,
    most_pause: timedelta = timedelta(),
) -> Timeline:
    """Find the stretches in which it is on, in order, with their edges."""
    if not says:
        return Timeline((), (), ())
    gaps = [_seconds(a, b) for a, b in pairwise(times)]
    usual = median([it for it in gaps if it] or [1.0])
    unwatched = max(UNWATCHED * usual, most_pause.total_seconds())
    heard = [
        None if index and gaps[index - 1] == 0 and it == says[index - 1] else it
        for index, it in enumerate(says)
    ]
    distances = [1.0 if it is None else math.inf if it > unwatched else it / usual for it in gaps]
    beliefs = chain.believe(heard, distances)
    cuts = {index for index, it in enumerate(distances) if it == math.inf}
    steady = _trimmed([it > 0.5 for it in beliefs.on], heard, cuts)
    longer = [it for it in steady if sum(heard[at] is True for at in _places(it)) > 1]
    kept = longer
    if not kept and len(says) * (1 - chain.RIGHT) < 1:
        kept = spans([it is True for it in says])
    joined = _joined(kept, times, cuts, most_pause)
    found = tuple(_found(it, says, beliefs, cuts) for it in joined)
    return Timeline(tuple(heard), beliefs.on, found)


def spans(shows: Sequence[bool]) -> list[Stretch]:
    """Find stretches by closing gaps of a single picture, those of a single picture too."""
    closed = [
        shown or (0 < index < len(shows) - 1 and shows[index - 1] and shows[index + 1])
        for index, shown in enumerate(shows)
    ]
    return _runs(closed)


def _seconds(a: datetime | None, b: datetime | None) -> float | None:
    """None where the times do not tell: one has none, or they go back."""
    if a is None or b is None or b < a:
        return None
    return (b - a).total_seconds()


def _runs(shows: Sequence[bool]) -> list[Stretch]:
    runs = []
    for shown, group in groupby(enumerate(shows), key=lambda it: it[1]):
        indices = [index for index, _ in group]
        if shown:
            runs.append(Stretch(indices[0], indices[-1]))
    return runs


def _trimmed(on: Sequence[bool], says: Sequence[bool | None], cuts: set[int]) -> list[Stretch]:
    """The runs of what is on, from the first that says so to the last, parted at the cuts."""
    parted: list[Stretch] = []
    for run in _runs(on):
        start = run.start
        for cut in sorted(it for it in cuts if run.start <= it < run.end):
            parted.append(Stretch(start, cut))
            start = cut + 1
        parted.append(Stretch(start, run.end))
    shown = [[at for at in _places(it) if says[at] is True] for it in parted]
    return [Stretch(it[0], it[-1]) for it in shown if it]


def _places(stretch: Stretch) -> range:
    return range(stretch.start, stretch.end + 1)


def _joined(
    kept: Sequence[Stretch],
    times: Sequence[datetime | None],
    cuts: set[int],
    most_pause: timedelta,
) -> list[list[Stretch]]:
    joined: list[list[Stretch]] = []
    for stretch in kept:
        if joined:
            last = joined[-1][-1]
            left, back = times[last.end], times[stretch.start]
            short = left is not None and back is not None and back - left <= most_pause
            if short and not any(last.end <= it < stretch.start for it in cuts):
                joined[-1].append(stretch)
                continue
        joined.append([stretch])
    return joined


def _found(
    parts: Sequence[Stretch],
    says: Sequence[bool | None],
    beliefs: chain.Beliefs,
    cuts: set[int],
) -> Found:
    start, end = parts[0].start, parts[-1].end
    before = next(
        (at for at in range(start - 1, -1, -1) if at in cuts or says[at] is not None), None
    )
    before = None if before in cuts else before
    after = end
    last = len(says) - 1
    following: int | None = None
    while after < last and after not in cuts:
        after += 1
        if says[after] is not None:
            following = after
            break
    begun = 0.0 if before is None else sum(beliefs.begins[before:start])
    ended = 0.0 if following is None else sum(beliefs.ends[end:following])
    return Found(
        Stretch(start, end),
        Edge(before, start, begun),
        Edge(end, following, ended),
        tuple(Stretch(a.end + 1, b.start - 1) for a, b in pairwise(parts)),
    )
