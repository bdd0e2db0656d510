"""The scores of timed tasks as a table and as a plot. It measures nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

from bench.quality import plot, report
from bench.quality.tasks import scores
from bench.quality.tasks.scores import Score
from bench.quality.tasks.sequences import Level

Row = tuple[Level, str]
"""A level and a method."""

_HEADINGS: Final = (
    "level",
    "method",
    "sequences",
    "F1 at IoU 0.5 (95 %)",
    "end off, pictures: median, mean",
    "end off, s: median",
    "errors a sequence (95 %)",
    *report.HEADINGS_OF_ANSWERS,
)


def table(rows: Mapping[Row, Sequence[Score]]) -> str:
    """Write a line for each level and method."""
    return report.table(_HEADINGS, [_cells(*row, scored) for row, scored in rows.items()])


def drawn(rows: Mapping[Row, Sequence[Score]], title: str) -> str:
    """Draw F1 level by level."""
    figures = {
        (level.value, method): report.figure(of, scores.f1) for (level, method), of in rows.items()
    }
    return plot.bars(figures, title)


def _cells(level: Level, method: str, scored: Sequence[Score]) -> Sequence[str]:
    return (
        level.value,
        method,
        str(len(scored)),
        report.told(report.figure(scored, scores.f1)),
        f"{scores.median_frames(scored):g}, {scores.mean_frames(scored):.2f}",
        f"{scores.median_seconds(scored):.1f}",
        report.told(report.figure(scored, scores.errors), ".2f"),
        *report.of_answers([it.answer for it in scored]),
    )
