"""The scores of dialogues as a table and as a plot. It measures nothing."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from bench.quality import plot, report
from bench.quality.dialogues import scores
from bench.quality.dialogues.scores import Score
from bench.quality.dialogues.scripts import Kind

_FIGURES: Final[Mapping[str, Callable[[Sequence[Score]], float]]] = {
    **{kind.value: partial(scores.f1, kind=kind) for kind in Kind},
    "owners": scores.owners_right,
}
_HEADINGS: Final = (
    "method",
    "dialogues",
    *(f"F1 of {kind.value} (95 %; precision, recall)" for kind in Kind),
    "owners right, of action items found (95 %)",
    "claims dropped by the check",
    *report.HEADINGS_OF_ANSWERS,
)


def table(rows: Mapping[str, Sequence[Score]]) -> str:
    """Write a line for each method."""
    return report.table(_HEADINGS, [_cells(*row) for row in rows.items()])


def drawn(rows: Mapping[str, Sequence[Score]], title: str) -> str:
    """Draw F1 kind by kind, and how many owners are right."""
    figures = {
        (name, method): report.figure(scored, of)
        for name, of in _FIGURES.items()
        for method, scored in rows.items()
    }
    return plot.bars(figures, title)


def _cells(method: str, scored: Sequence[Score]) -> Sequence[str]:
    answers = [it.answer for it in scored]
    return (
        method,
        str(len(scored)),
        *(
            f"{_told(scored, _FIGURES[kind])}; {scores.precision(scored, kind):.2f}, "
            f"{scores.recall(scored, kind):.2f}"
            for kind in Kind
        ),
        _told(scored, scores.owners_right),
        report.share(sum(it.dropped for it in answers), sum(it.claims for it in answers)),
        *report.of_answers(answers),
    )


def _told(scored: Sequence[Score], of: Callable[[Sequence[Score]], float]) -> str:
    return report.told(report.figure(scored, of))
