"""The scores of dialogues as a table and as a plot. It measures nothing."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from bench.quality import plot
from bench.quality.dialogues import scores
from bench.quality.dialogues.scores import Score
from bench.quality.dialogues.scripts import Kind
from bench.quality.plot import Figure, line, share
from bench.quality.scores import interval

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
    "citations good after it",
    "answers in schema",
    "tokens a dialogue",
    "model seconds a dialogue",
    "prompts too long",
)


def table(rows: Mapping[str, Sequence[Score]]) -> str:
    """Write a line for each method."""
    lines = [line(_HEADINGS), line("---" for _ in _HEADINGS)]
    lines += [line(_cells(method, scored)) for method, scored in rows.items()]
    return "\n".join(lines)


def drawn(rows: Mapping[str, Sequence[Score]], title: str) -> str:
    """Draw F1 kind by kind, and how many owners are right."""
    figures = {
        (name, method): _figure(scored, of)
        for name, of in _FIGURES.items()
        for method, scored in rows.items()
    }
    return plot.bars(figures, title)


def _figure(scored: Sequence[Score], of: Callable[[Sequence[Score]], float]) -> Figure:
    return Figure(of(scored), *interval(scored, of))


def _cells(method: str, scored: Sequence[Score]) -> Sequence[str]:
    answers = [it.answer for it in scored]
    count = len(scored)
    return (
        method,
        str(count),
        *(
            f"{_told(_figure(scored, _FIGURES[kind]))}; {scores.precision(scored, kind):.2f}, "
            f"{scores.recall(scored, kind):.2f}"
            for kind in Kind
        ),
        _told(_figure(scored, scores.owners_right)),
        share(sum(it.dropped for it in answers), sum(it.claims for it in answers)),
        share(sum(it.cited_well for it in answers), sum(it.cited for it in answers)),
        share(sum(it.fitting for it in answers), sum(it.asked for it in answers)),
        f"{sum(it.tokens for it in answers) / count:,.0f}",
        f"{sum(it.seconds for it in answers) / count:.1f}",
        str(sum(it.too_long for it in answers)),
    )


def _told(it: Figure) -> str:
    return f"{it.value:.3f} ({it.least:.3f} to {it.most:.3f})"
