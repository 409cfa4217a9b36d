"""Diagrams as SVG that takes its colours from the page, so that it is legible in light and in dark.

The classes `ink`, `muted`, `grid`, `first` and `second` are styled by the page. Every diagram says in words
what it shows, for those who can't see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LEFT, RIGHT, TOP, BOTTOM = 46, 14, 14, 40  # margins of a chart, in user units
WIDTH, HEIGHT = 420, 300
ROW_HEIGHT = 20  # of a bar
BARS_WIDTH = 380
CELL, NUMBERED_CELL = 22, 34  # of a heat map
CHAR = 6.4  # about the width of a character
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
STEPS = (0.05, 0.1, 0.2, 0.5, 1.0)  # between ticks, at most five of them
PALEST, DARKEST = 0.03, 0.95  # opacity of an empty and of a full cell
DARKEST_NUMBERED = 0.6  # the same where a number has to be legible on it


@dataclass(frozen=True)
class Line:
    """A line or a row of points.

    Attributes:
        x: of each point.
        y: of each point.
        style: "first", "second" or "muted".
        name: for the legend; empty for none.
        has_points: whether points are marked.
        is_dashed: drawn in dashes.
        sizes: of the marks, 0 to 1; None for all the same.
        is_joined: whether the points are joined by a line.
    """

    x: Sequence[float]
    y: Sequence[float]
    style: str = "first"
    name: str = ""
    has_points: bool = False
    is_dashed: bool = False
    sizes: Sequence[float] | None = None
    is_joined: bool = True


def chart(
    lines: Sequence[Line],
    said: str,
    x_title: str,
    y_title: str,
    x_range: tuple[float, float] = (0.0, 1.0),
    y_range: tuple[float, float] = (0.0, 1.0),
    verticals: Sequence[tuple[float, str]] = (),
    height: int = HEIGHT,
    width: int = WIDTH,
) -> str:
    """Lines and points over two axes.

    Args:
        lines: what is drawn, the last on top.
        said: what the diagram shows, in words.
        x_title: of the horizontal axis.
        y_title: of the vertical axis.
        x_range: from, to.
        y_range: from, to.
        verticals: places on the horizontal axis to mark, each with a word.
        height: in user units.
        width: in user units.
    """
    inner_width, inner_height = width - LEFT - RIGHT, height - TOP - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across = (min(max(x, x_range[0]), x_range[1]) - x_range[0]) / (x_range[1] - x_range[0])
        up = (min(max(y, y_range[0]), y_range[1]) - y_range[0]) / (y_range[1] - y_range[0])
        return LEFT + across * inner_width, TOP + (1.0 - up) * inner_height

    parts = [_axes(x_range, y_range, x_title, y_title, height, width)]
    for at, word in verticals:
        x, _ = place(at, y_range[0])
        anchor = "end" if x > width / 2 else "start"
        parts.append(f'<path class="mark" d="M{x:.1f} {TOP}V{TOP + inner_height}"/>')
        parts.append(
            f'<text class="muted" x="{x + (-4 if anchor == "end" else 4):.1f}" y="{TOP + 10}" '
            f'text-anchor="{anchor}">{escape(word)}</text>'
        )
    for line in lines:
        parts.append(_line(line, [place(x, y) for x, y in zip(line.x, line.y, strict=True)]))
    parts.append(_legend(lines, height))
    return _svg(width, height, said, parts)


def bars(names: Sequence[str], values: Sequence[float], marks: Sequence[float], said: str) -> str:
    """Horizontal bars from 0 to 1, with a tick for a second value.

    Args:
        names: of the bars, from the top.
        values: length of each.
        marks: place of each tick.
        said: what the diagram shows, in words.
    """
    left = 12 + CHAR * max(map(len, names))
    width, height = BARS_WIDTH, TOP + ROW_HEIGHT * len(names) + 24
    scale = width - left - 44
    bottom = TOP + ROW_HEIGHT * len(names)
    parts = []
    for tick in TICKS:
        x = left + tick * scale
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>')
        parts.append(
            f'<text class="muted" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
        )
    for row, (name, value, mark) in enumerate(zip(names, values, marks, strict=True)):
        y = TOP + row * ROW_HEIGHT
        parts.append(
            f'<text class="ink" x="{left - 6:.1f}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="first" x="{left:.1f}" y="{y + 4}" width="{value * scale:.1f}" height="12"/>'
            f'<path class="tick" d="M{left + mark * scale:.1f} {y + 2}v16"/>'
            f'<text class="ink" x="{left + max(value, mark) * scale + 6:.1f}" y="{y + 14}">{value:.3f}</text>'
        )
    return _svg(width, height, said, parts)


def heat_map(names: Sequence[str], rows: Sequence[Sequence[float]], said: str, with_numbers: bool) -> str:
    """A square of cells, each as dark as its share; rows are the truth.

    Args:
        names: of rows and columns.
        rows: shares from 0 to 1.
        said: what the diagram shows, in words.
        with_numbers: whether each cell has its number, in hundredths.
    """
    cell = NUMBERED_CELL if with_numbers else CELL
    darkest = DARKEST_NUMBERED if with_numbers else DARKEST
    left = 12 + CHAR * max(map(len, names))
    top = 10 + CHAR * max(map(len, names)) * math.sin(math.radians(60)) + 6
    overhang = 0.5 * CHAR * len(names[-1]) + 6  # of the last column's slanting name
    width, height = left + cell * len(names) + overhang, top + cell * len(names) + 6
    parts = []
    for index, name in enumerate(names):
        x, y = left + (index + 0.5) * cell, top + (index + 0.5) * cell
        parts.append(
            f'<text class="ink" x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        )
        parts.append(
            f'<text class="ink" transform="translate({x:.1f} {top - 6:.1f}) rotate(-60)">'
            f"{escape(name)}</text>"
        )
    for row, shares in enumerate(rows):
        for column, share in enumerate(shares):
            x, y = left + column * cell, top + row * cell
            told = f"{names[row]} read as {names[column]}: {share:.0%}"
            parts.append(
                f'<rect class="cell" x="{x:.1f}" y="{y:.1f}" width="{cell - 1}" height="{cell - 1}" '
                f'fill-opacity="{PALEST + (darkest - PALEST) * share:.3f}">'
                f"<title>{escape(told)}</title></rect>"
            )
            if with_numbers:
                parts.append(
                    f'<text class="ink" x="{x + cell / 2:.1f}" y="{y + cell / 2 + 4:.1f}" '
                    f'text-anchor="middle">{100 * share:.0f}</text>'
                )
    return _svg(round(width), round(height), said, parts)


def _axes(
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    x_title: str,
    y_title: str,
    height: int,
    width: int,
) -> str:
    inner_width, inner_height = width - LEFT - RIGHT, height - TOP - BOTTOM
    parts = []
    for value in _ticks(*x_range):
        x = LEFT + (value - x_range[0]) / (x_range[1] - x_range[0]) * inner_width
        parts.append(
            f'<path class="grid" d="M{x:.1f} {TOP}v{inner_height}"/>'
            f'<text class="muted" x="{x:.1f}" y="{TOP + inner_height + 15}" text-anchor="middle">'
            f"{value:g}</text>"
        )
    for value in _ticks(*y_range):
        y = TOP + (y_range[1] - value) / (y_range[1] - y_range[0]) * inner_height
        parts.append(
            f'<path class="grid" d="M{LEFT} {y:.1f}h{inner_width}"/>'
            f'<text class="muted" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    middle = TOP + inner_height / 2
    parts.append(
        f'<text class="ink" x="{LEFT + inner_width / 2}" y="{height - 6}" text-anchor="middle">'
        f"{escape(x_title)}</text>"
        f'<text class="ink" transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_title)}</text>"
    )
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    step = next((step for step in STEPS if (high - low) / step <= 5.0 + 1e-9), STEPS[-1])
    return [round(low + index * step, 2) for index in range(round((high - low) / step) + 1)]


def _line(line: Line, places: Sequence[tuple[float, float]]) -> str:
    parts = []
    if line.is_joined and places:
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        dashes = ' stroke-dasharray="5 4"' if line.is_dashed else ""
        parts.append(f'<path class="line {line.style}"{dashes} d="{path}"/>')
    if line.has_points:
        sizes = line.sizes or [0.3] * len(places)
        parts.append(
            "".join(
                f'<circle class="{line.style}" cx="{x:.1f}" cy="{y:.1f}" '
                f'r="{1.5 + 5.0 * math.sqrt(size):.1f}"/>'
                for (x, y), size in zip(places, sizes, strict=True)
            )
        )
    return "".join(parts)


def _legend(lines: Sequence[Line], height: int) -> str:
    """Names of the lines, at the bottom right of the plot from below."""
    parts = []
    named = [line for line in lines if line.name]
    for row, line in enumerate(named):
        y = height - BOTTOM - 12 - 16 * (len(named) - 1 - row)
        x = WIDTH - RIGHT - 12
        parts.append(
            f'<text class="ink" x="{x - 22}" y="{y}" text-anchor="end">{escape(line.name)}</text>'
            f'<path class="line {line.style}" d="M{x - 16} {y - 4}h16"'
            f"{' stroke-dasharray=' + chr(34) + '5 4' + chr(34) if line.is_dashed else ''}/>"
        )
    return "".join(parts)


def _svg(width: float, height: float, said: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(said)}">{"".join(parts)}</svg>'
    )
