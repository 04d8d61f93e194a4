# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw lines over logarithmic axes as SVG, and the two plots of docs/growth/.

An image has a white ground, so it can be read on a dark page too.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping, Sequence, Tuple
from xml.sax.saxutils import escape

Points = Sequence[Tuple[float, float]]

WIDTH, HEIGHT = 900, 470
LEFT, RIGHT, TOP, BOTTOM = 104, 236, 46, 60
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
"""Of Okabe and Ito: also colour-blind readers tell them apart; each line has its own mark as well."""

MARKS: tuple[Callable[[float, float], str], ...] = (
    lambda x, y: f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>',
    lambda x, y: f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>',
    lambda x, y: f'<path d="M{x:.1f} {y - 5.5:.1f}l5 9h-10z"/>',
    lambda x, y: f'<path d="M{x:.1f} {y - 6:.1f}l6 6-6 6-6-6z"/>',
    lambda x, y: f'<path d="M{x - 5:.1f} {y - 4:.1f}h10l-5 9z"/>',
    lambda x, y: f'<path d="M{x - 5:.1f} {y - 2:.1f}h10v4h-10z"/>',
    lambda x, y: f'<path d="M{x - 2:.1f} {y - 5:.1f}h4v10h-4z"/>',
)
_NAME_SPACE = 17


def draw(title: str, unit: str, lines: Mapping[str, Points], said: Callable[[float], str]) -> str:
    """The plot of ``lines`` by name; x is a number of users, ``said`` how a value of the other axis is printed."""
    xs = [x for points in lines.values() for x, _y in points]
    ys = [y for points in lines.values() for _x, y in points]
    x_of = _scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    low, high = 10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys)))
    y_of = _scale(low, high, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 24, title, size=16),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "users (logarithmic)", "middle"),
        f'<g transform="translate(20 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)">{_text(0, 0, unit, "middle")}</g>',
    ]
    for x in sorted(set(xs)):
        parts += [_rule(x_of(x), TOP, x_of(x), HEIGHT - BOTTOM)]
        parts += [_text(x_of(x), HEIGHT - BOTTOM + 19, f"{x:,.0f}", "middle")]
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        y = y_of(10.0**power)
        parts += [_rule(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 8, y + 4, said(10.0**power), "end")]
    names = _apart({name: y_of(points[-1][1]) for name, points in lines.items() if points})
    for at, (name, points) in enumerate(lines.items()):
        colour, mark = COLOURS[at % len(COLOURS)], MARKS[at % len(MARKS)]
        places = [(x_of(x), y_of(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        end = places[-1]
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<g fill="{colour}">{"".join(mark(x, y) for x, y in places)}</g>',
            f'<path d="M{end[0] + 7:.1f} {end[1]:.1f}L{WIDTH - RIGHT + 22} {names[name]:.1f}" stroke="{colour}"/>',
            _text(WIDTH - RIGHT + 26, names[name] + 4, f"{name}, {said(points[-1][1])}", colour=colour),
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    width = math.log10(high) - math.log10(low) or 1.0
    return lambda value: start + (math.log10(value) - math.log10(low)) / width * (end - start)


def _apart(wanted: Mapping[str, float]) -> dict[str, float]:
    """Places for names beside the ends of their lines, in the same order, that do not cover each other."""
    names = sorted(wanted, key=lambda name: wanted[name])
    places: dict[str, float] = {}
    last = -math.inf
    for name in names:
        last = places[name] = max(wanted[name], last + _NAME_SPACE)
    limit = HEIGHT - BOTTOM + 6.0
    for name in reversed(names):
        places[name] = min(places[name], limit)
        limit = places[name] - _NAME_SPACE
    return places


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#d0d0d0"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 13, colour: str = "#222222") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
    )


def said_seconds(value: float) -> str:
    return f"{_digits(value * 1000)} ms" if value < 1 else f"{_digits(value)} s"


def said_memory(value: float) -> str:
    return f"{_digits(value)} MiB"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plots(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The images by file name."""
    time_of = {what: [(row["users"], row["seconds"][what]) for row in rows] for what in rows[0]["seconds"]}
    memory_of = {what: [(row["users"], row["memory"][what] / 2**20) for row in rows] for what in rows[0]["memory"]}
    return {
        "time.svg": draw("Time, users with every right set", "elapsed time (logarithmic)", time_of, said_seconds),
        "memory.svg": draw("Peak memory of the command", "memory (logarithmic)", memory_of, said_memory),
    }
