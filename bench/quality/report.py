"""The scores of timed tasks as a table and as a plot. It measures nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench.quality import plot, scores
from bench.quality.plot import Figure, line, share
from bench.quality.scores import Score
from bench.quality.sequences import Level

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
    "citations good",
    "answers in schema",
    "tokens a sequence",
    "model seconds a sequence",
    "prompts too long",
)


def table(rows: Mapping[Row, Sequence[Score]]) -> str:
    """Write a line for each level and method."""
    lines = [line(_HEADINGS), line("---" for _ in _HEADINGS)]
    lines += [line(_cells(*row, scored)) for row, scored in rows.items()]
    return "\n".join(lines)


def drawn(rows: Mapping[Row, Sequence[Score]], title: str) -> str:
    """Draw F1 level by level."""
    figures = {
        (level.value, method): Figure(scores.f1(of), *scores.interval(of, scores.f1))
        for (level, method), of in rows.items()
    }
    return plot.bars(figures, title)


def _cells(level: Level, method: str, scored: Sequence[Score]) -> Sequence[str]:
    answers = [it.answer for it in scored]
    count = len(scored)
    return (
        level.value,
        method,
        str(count),
        _with_interval(scored, scores.f1, ".3f"),
        f"{scores.median_frames(scored):g}, {scores.mean_frames(scored):.2f}",
        f"{scores.median_seconds(scored):.1f}",
        _with_interval(scored, scores.errors, ".2f"),
        share(sum(it.cited_well for it in answers), sum(it.cited for it in answers)),
        share(sum(it.fitting for it in answers), sum(it.asked for it in answers)),
        f"{sum(it.tokens for it in answers) / count:,.0f}",
        f"{sum(it.seconds for it in answers) / count:.1f}",
        str(sum(it.too_long for it in answers)),
    )


def _with_interval(
    scored: Sequence[Score], figure: Callable[[Sequence[Score]], float], form: str
) -> str:
    least, most = scores.interval(scored, figure)
    return f"{figure(scored):{form}} ({least:{form}} to {most:{form}})"
