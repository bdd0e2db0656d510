"""How far the stretches that were found are from the truth."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.quality import scoring
from bench.quality.tasks.sequences import Series, Span

IOU: Final = 0.5
_BESIDE: Final = 1
"""How many pictures an end may be off before it counts as an error."""

Answer = scoring.Answer[Mapping[str, Sequence[Span]]]
"""What a method found in a series, by task; it rests on pictures."""


@dataclass(frozen=True)
class Score:
    """A series scored."""

    hits: int
    wrong: int
    """Found, and not there."""
    missed: int
    frames_off: tuple[int, ...]
    """Of each end of each hit."""
    seconds_off: tuple[float, ...]
    answer: Answer = field(repr=False)

    @property
    def errors(self) -> int:
        """What a person would have to put right: stretches wrong or missed, ends off."""
        return self.wrong + self.missed + sum(it > _BESIDE for it in self.frames_off)


def score(series: Series, answer: Answer) -> Score:
    """Compare what was found with the truth; stretches match from an IoU of a half, in pictures."""
    shots = series.shots
    hits = wrong = missed = 0
    frames: list[int] = []
    seconds: list[float] = []
    for task in series.tasks:
        truth, found = series.truth(task), list(answer.found.get(task, ()))
        for span in truth:
            best = max(found, key=lambda it: _iou(it, span), default=None)
            if best is None or _iou(best, span) < IOU:
                missed += 1
                continue
            found.remove(best)
            hits += 1
            for ours, true in ((best.start, span.start), (best.end, span.end)):
                frames.append(abs(ours - true))
                seconds.append(abs(shots[ours].seconds - shots[true].seconds))
        wrong += len(found)
    return Score(hits, wrong, missed, tuple(frames), tuple(seconds), answer)


def f1(scores: Sequence[Score]) -> float:
    """F1 over all stretches."""
    hits = sum(it.hits for it in scores)
    others = sum(it.wrong + it.missed for it in scores)
    return scoring.f1(hits, others)


def median_frames(scores: Sequence[Score]) -> float:
    """The median error of an end in pictures."""
    return _median([off for it in scores for off in it.frames_off])


def median_seconds(scores: Sequence[Score]) -> float:
    """The median error of an end in seconds."""
    return _median([off for it in scores for off in it.seconds_off])


def mean_frames(scores: Sequence[Score]) -> float:
    """The mean error of an end in pictures."""
    every = [off for it in scores for off in it.frames_off]
    return statistics.fmean(every) if every else float("nan")


def errors(scores: Sequence[Score]) -> float:
    """Errors in a sequence."""
    return statistics.fmean(it.errors for it in scores)


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values)) if values else float("nan")


def _iou(a: Span, b: Span) -> float:
    shared = min(a.end, b.end) - max(a.start, b.start) + 1
    whole = max(a.end, b.end) - min(a.start, b.start) + 1
    return max(shared, 0) / whole
