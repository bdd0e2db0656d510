"""Scores as lines of a table: figures with their intervals, and what answers took. It measures
nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from bench.quality.plot import Figure
from bench.quality.scoring import Answer, Scored, interval

HEADINGS_OF_ANSWERS: Final = (
    "citations good",
    "answers that fit",
    "tokens each",
    "model seconds each",
    "prompts too long",
)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    return "\n".join(map(_line, (headings, ["---"] * len(headings), *rows)))


def figure(scored: Sequence[Scored], of: Callable[[Sequence[Scored]], float]) -> Figure:
    """Take a figure with its interval."""
    return Figure(of(scored), *interval(scored, of))


def told(it: Figure, form: str = ".3f") -> str:
    """Write a figure with its interval."""
    return f"{it.value:{form}} ({it.least:{form}} to {it.most:{form}})"


def of_answers(answers: Sequence[Answer[Any]]) -> Sequence[str]:
    """Write the cells under `HEADINGS_OF_ANSWERS`."""
    costs = [it.cost for it in answers]
    return (
        share(sum(it.cited_well for it in answers), sum(it.cited for it in answers)),
        share(sum(it.fitting for it in costs), sum(it.asked for it in costs)),
        f"{sum(it.tokens for it in costs) / len(costs):,.0f}",
        f"{sum(it.seconds for it in costs) / len(costs):.1f}",
        str(sum(it.too_long for it in costs)),
    )


def share(part: int, whole: int) -> str:
    """Write a share in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
