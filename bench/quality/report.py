"""The scores of a run as a table and as a plot in SVG. It measures nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Final

from bench.quality import scores
from bench.quality.scores import Score
from bench.quality.sequences import Level

Row = tuple[Level, str]
"""A level and a method."""

_COLOURS: Final = ("#2b6cb0", "#718096", "#c05621", "#2f855a", "#6b46c1")
_BAR, _GAP, _HEIGHT, _LEFT, _TOP = 34, 46, 220, 48, 44
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
    lines = [_line(_HEADINGS), _line("---" for _ in _HEADINGS)]
    lines += [_line(_cells(*row, scored)) for row, scored in rows.items()]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


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
        _share(sum(it.cited_well for it in answers), sum(it.cited for it in answers)),
        _share(sum(it.fitting for it in answers), sum(it.asked for it in answers)),
        f"{sum(it.tokens for it in answers) / count:,.0f}",
        f"{sum(it.seconds for it in answers) / count:.1f}",
        str(sum(it.too_long for it in answers)),
    )


def _with_interval(
    scored: Sequence[Score], figure: Callable[[Sequence[Score]], float], form: str
) -> str:
    least, most = scores.interval(scored, figure)
    return f"{figure(scored):{form}} ({least:{form}} to {most:{form}})"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def plot(rows: Mapping[Row, Sequence[Score]], title: str) -> str:
    """Draw F1 as bars with their intervals, level by level."""
    levels = list(dict.fromkeys(level for level, _ in rows))
    methods = list(dict.fromkeys(method for _, method in rows))
    group = _BAR * len(methods) + _GAP
    width = _LEFT + group * len(levels) + _GAP
    height = _TOP + _HEIGHT + 40 + 18 * len(methods)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="13">{escape(title)}</text>',
    ]
    for step in range(6):
        y = _y(step / 5)
        parts += [
            f'<line x1="{_LEFT}" x2="{width - 10}" y1="{y}" y2="{y}" stroke="#ddd"/>',
            f'<text x="{_LEFT - 30}" y="{y + 4}">{step / 5:.1f}</text>',
        ]
    for place, level in enumerate(levels):
        left = _LEFT + _GAP / 2 + place * group
        middle = left + _BAR * len(methods) / 2
        parts.append(
            f'<text x="{middle}" y="{_y(0) + 18}" text-anchor="middle">{level.value}</text>'
        )
        for index, method in enumerate(methods):
            if (level, method) in rows:
                x = left + index * _BAR
                parts += _bar(x, rows[level, method], _COLOURS[index % len(_COLOURS)])
    for index, method in enumerate(methods):
        y = _y(0) + 44 + 18 * index
        colour = _COLOURS[index % len(_COLOURS)]
        parts += [
            f'<rect x="{_LEFT}" y="{y - 10}" width="12" height="12" fill="{colour}"/>',
            f'<text x="{_LEFT + 18}" y="{y}">{escape(method)}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def _bar(x: float, scored: Sequence[Score], colour: str) -> list[str]:
    value, (least, most) = scores.f1(scored), scores.interval(scored, scores.f1)
    middle = x + _BAR / 2 - 3
    return [
        f'<rect x="{x}" y="{_y(value)}" width="{_BAR - 6}" height="{_y(0) - _y(value):.1f}" '
        f'fill="{colour}"/>',
        f'<line x1="{middle}" x2="{middle}" y1="{_y(least)}" y2="{_y(most)}" stroke="black"/>',
        f'<text x="{middle}" y="{_y(most) - 4}" text-anchor="middle" font-size="10">'
        f"{value:.2f}</text>",
    ]


def _y(value: float) -> float:
    return round(_TOP + _HEIGHT * (1 - value), 1)
