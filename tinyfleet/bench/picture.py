"""Charts as SVG text: lines over an axis, and bars in groups. The same data give the same bytes.

Colours are those of M. Okabe and K. Ito, "Color universal design" (2008), which readers tell apart whatever
colours they see; lines differ in their dashes and marks as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from tinyfleet.bench.axis import Axis

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES: Final = ("", "7 4", "2 3", "10 3 2 3", "5 2", "1 3")
_MARKS: Final = ("circle", "square", "diamond")
_WIDTH: Final = 760
_LEFT: Final = 74
_RIGHT: Final = 20
_TOP: Final = 66
_BOTTOM: Final = 54
_PLOT_HEIGHT: Final = 300
_PLOT_WIDTH: Final = _WIDTH - _LEFT - _RIGHT
_HEIGHT: Final = _TOP + _PLOT_HEIGHT + _BOTTOM
_LETTER: Final = 7.2
"""Mean width of a letter at 13 px, to set the legend."""
_INK: Final = "#222222"
_GRID: Final = "#dddddd"


class Line(NamedTuple):
    """One series of points, joined in their order."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    """Ends of error bars, one for each point, or none."""


class Bars(NamedTuple):
    """One bar in every group, and perhaps dots about its top for what it is the mean of."""

    name: str
    height: Sequence[float]
    dots: Sequence[Sequence[float]] = ()


def line_chart(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """An SVG document."""
    parts = [
        *_horizontal_marks(x),
        *_frame(title, x.title, y),
        *_legend([line.name for line in lines], _MARKS),
    ]
    for index, line in enumerate(lines):
        parts += _line(index, line, x, y)
    return _document(title, parts)


def bar_chart(title: str, x_title: str, groups: Sequence[str], y: Axis, bars: Sequence[Bars]) -> str:
    """An SVG document; ``groups`` are the names below the bars."""
    parts = [*_frame(title, x_title, y), *_legend([each.name for each in bars], ("square",))]
    slot = _PLOT_WIDTH / len(groups)
    width = 0.8 * slot / len(bars)
    for place, group in enumerate(groups):
        middle = _LEFT + (place + 0.5) * slot
        parts.append(_text(middle, _TOP + _PLOT_HEIGHT + 18, group, "middle"))
        for index, each in enumerate(bars):
            left = middle + (index - len(bars) / 2) * width
            parts += _bar(COLOURS[index % len(COLOURS)], left, width, y, each.height[place])
            if each.dots:
                parts += _dots(left, width, y, each.dots[place])
    return _document(title, parts)


def _document(title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{_INK}">'
    )
    # A page of dark colours must not show through.
    paper = f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", paper, *parts, "</svg>"]) + "\n"


def _frame(title: str, x_title: str, y: Axis) -> Iterator[str]:
    """Titles, the vertical axis with its grid, and the base line."""
    base, right = _TOP + _PLOT_HEIGHT, _LEFT + _PLOT_WIDTH
    yield f'<text x="{_LEFT}" y="22" font-size="16" font-weight="600">{escape(title)}</text>'
    for value in y.marks():
        at = _down(y, value)
        yield _stroke(_LEFT, at, right, at, _GRID)
        yield _text(_LEFT - 8, at + 4.5, y.text(value), "end")
    yield _stroke(_LEFT, base, right, base, _INK)
    yield _text(_LEFT + _PLOT_WIDTH / 2, _HEIGHT - 10, x_title, "middle")
    middle = _TOP + _PLOT_HEIGHT / 2
    turned = f'transform="rotate(-90 16 {middle:g})"'
    yield f'<text x="16" y="{middle:g}" text-anchor="middle" {turned}>{escape(y.title)}</text>'


def _horizontal_marks(x: Axis) -> Iterator[str]:
    base = _TOP + _PLOT_HEIGHT
    for value in x.marks():
        at = _across(x, value)
        yield _stroke(at, _TOP, at, base, _GRID)
        yield _text(at, base + 18, x.text(value), "middle")


def _legend(names: Sequence[str], marks: Sequence[str]) -> Iterator[str]:
    left = float(_LEFT)
    for index, name in enumerate(names):
        yield _mark(index, left + 6, 44, marks)
        yield _text(left + 17, 48.5, name, "start")
        left += 17 + _LETTER * len(name) + 22


def _line(index: int, line: Line, x: Axis, y: Axis) -> Iterator[str]:
    colour, dash = COLOURS[index % len(COLOURS)], _DASHES[index % len(_DASHES)]
    places = [(_across(x, at), _down(y, value)) for at, value in zip(line.x, line.y, strict=True)]
    points = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
    for at, low, high in zip(line.x if line.low else (), line.low, line.high, strict=True):
        across, bottom, top = _across(x, at), _down(y, low), _down(y, high)
        yield _stroke(across, bottom, across, top, colour)
        yield _stroke(across - 4, bottom, across + 4, bottom, colour)
        yield _stroke(across - 4, top, across + 4, top, colour)
    for across, down in places:
        yield _mark(index, across, down, _MARKS)


def _bar(colour: str, left: float, width: float, y: Axis, value: float) -> Iterator[str]:
    top = _down(y, value)
    height = _TOP + _PLOT_HEIGHT - top
    yield f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _dots(left: float, width: float, y: Axis, values: Sequence[float]) -> Iterator[str]:
    """Side by side, so that equal ones do not hide each other."""
    for place, value in enumerate(values):
        across = left + width * (place + 1) / (len(values) + 1)
        yield (
            f'<circle cx="{across:.1f}" cy="{_down(y, value):.1f}" r="2.2" fill="#ffffff" '
            f'stroke="{_INK}" stroke-width="0.9"/>'
        )


def _mark(index: int, across: float, down: float, marks: Sequence[str]) -> str:
    colour, kind = COLOURS[index % len(COLOURS)], marks[index % len(marks)]
    if kind == "circle":
        return f'<circle cx="{across:.1f}" cy="{down:.1f}" r="4" fill="{colour}"/>'
    turn = f' transform="rotate(45 {across:.1f} {down:.1f})"' if kind == "diamond" else ""
    return f'<rect x="{across - 3.5:.1f}" y="{down - 3.5:.1f}" width="7" height="7" fill="{colour}"{turn}/>'


def _stroke(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(across: float, down: float, words: str, anchor: str) -> str:
    return f'<text x="{across:.1f}" y="{down:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _across(x: Axis, value: float) -> float:
    return _LEFT + _PLOT_WIDTH * x.share(value)


def _down(y: Axis, value: float) -> float:
    return _TOP + _PLOT_HEIGHT * (1 - y.share(value))
