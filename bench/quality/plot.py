"""Figures with their intervals, as bars in SVG. It measures nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

_COLOURS: Final = ("#2b6cb0", "#718096", "#c05621", "#2f855a", "#6b46c1")
_BAR, _GAP, _HEIGHT, _LEFT, _TOP = 34, 46, 220, 48, 44


@dataclass(frozen=True)
class Figure:
    """A figure from 0 to 1, and where it lies in 95 of 100 draws."""

    value: float
    least: float
    most: float


def bars(figures: Mapping[tuple[str, str], Figure], title: str) -> str:
    """Draw a figure for each group and method, group by group."""
    groups = list(dict.fromkeys(group for group, _ in figures))
    methods = list(dict.fromkeys(method for _, method in figures))
    wide = _BAR * len(methods) + _GAP
    width = _LEFT + wide * len(groups) + _GAP
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
    for place, group in enumerate(groups):
        left = _LEFT + _GAP / 2 + place * wide
        middle = left + _BAR * len(methods) / 2
        parts.append(
            f'<text x="{middle}" y="{_y(0) + 18}" text-anchor="middle">{escape(group)}</text>'
        )
        for index, method in enumerate(methods):
            if (group, method) in figures:
                x = left + index * _BAR
                parts += _bar(x, figures[group, method], _COLOURS[index % len(_COLOURS)])
    for index, method in enumerate(methods):
        y = _y(0) + 44 + 18 * index
        colour = _COLOURS[index % len(_COLOURS)]
        parts += [
            f'<rect x="{_LEFT}" y="{y - 10}" width="12" height="12" fill="{colour}"/>',
            f'<text x="{_LEFT + 18}" y="{y}">{escape(method)}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def _bar(x: float, it: Figure, colour: str) -> list[str]:
    middle = x + _BAR / 2 - 3
    return [
        f'<rect x="{x}" y="{_y(it.value)}" width="{_BAR - 6}" '
        f'height="{_y(0) - _y(it.value):.1f}" fill="{colour}"/>',
        f'<line x1="{middle}" x2="{middle}" y1="{_y(it.least)}" y2="{_y(it.most)}" '
        'stroke="black"/>',
        f'<text x="{middle}" y="{_y(it.most) - 4}" text-anchor="middle" font-size="10">'
        f"{it.value:.2f}</text>",
    ]


def _y(value: float) -> float:
    return round(_TOP + _HEIGHT * (1 - value), 1)
