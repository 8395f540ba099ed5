"""Bars in SVG: medians with their spread, readable on light and dark pages."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLOURS: Final = ("#2f6fde", "#7aa5ee", "#c2622d", "#e0a07a", "#8a8f98")
_WIDTH, _BAR, _GAP, _LEFT, _RIGHT, _TOP = 720, 20, 14, 150, 90, 40


def bars(title: str, groups: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """One group of horizontal bars for each key; a line on a bar goes from the lowest to the highest value."""
    largest = max(max(values) for group in groups.values() for values in group.values())
    scale = (_WIDTH - _LEFT - _RIGHT) / largest
    parts = [f'<text x="10" y="24" font-size="16">{escape(title)}</text>']
    y = _TOP
    for name, group in groups.items():
        parts.append(f'<text x="10" y="{y + 14}" font-weight="bold">{escape(name)}</text>')
        y += _BAR
        for colour, (label, values) in zip(_COLOURS, group.items(), strict=False):
            parts += _bar(label, values, colour, scale, y)
            y += _BAR + 2
        y += _GAP
    style = "text { font: 12px sans-serif; fill: #8a8f98 } line { stroke: #8a8f98 }"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img" aria-label="{escape(title)}">'
        f"<style>{style}</style>{''.join(parts)}</svg>\n"
    )


def _bar(label: str, values: Sequence[float], colour: str, scale: float, y: float) -> list[str]:
    middle, low, high = (_LEFT + value * scale for value in (median(values), min(values), max(values)))
    centre = y + _BAR / 2
    return [
        f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>',
        f'<rect x="{_LEFT}" y="{y}" width="{middle - _LEFT:.1f}" height="{_BAR}" fill="{colour}"/>',
        f'<line x1="{low:.1f}" y1="{centre}" x2="{high:.1f}" y2="{centre}"/>',
        f'<text x="{high + 6:.1f}" y="{y + 14}">{median(values):,.1f}</text>',
    ]
