"""The page that a memory map is drawn on: operators and bytes to pixels, blocks and labels to SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

_LEFT: Final = 100
_RIGHT: Final = 24
_TOP: Final = 84
_BYTES_HIGH: Final = 420
"""Pixels for the whole arena."""
_LABELS_HIGH: Final = 150
_LEAST_WIDTH: Final = 960
_LEAST_COLUMN: Final = 16
"""Pixels in which an upright operator name is legible; pages of long models get wider, up to a limit."""
_MOST_WIDTH: Final = 4000
_LETTER: Final = 6.4
"""Pixels, on the wide side."""
_LINE: Final = 13
_LEAST_LETTERS: Final = 8
"""Of a name: fewer tell nothing."""


class Style(NamedTuple):
    """How a block looks."""

    fill: str
    text: str = "#1b2631"
    hatched: bool = False
    dashed: bool = False
    """A line and not a block."""


LOWER_BOUND: Final = Style("#c0392b", dashed=True)


class Page:
    """Columns are scopes: 0 before the first operator, then one an operator."""

    def __init__(self, scopes: int, total: int) -> None:
        self.scopes = scopes
        self.width = min(_MOST_WIDTH, max(_LEAST_WIDTH, _LEFT + _RIGHT + scopes * _LEAST_COLUMN))
        self.height = _TOP + _BYTES_HIGH + _LABELS_HIGH
        self._column = (self.width - _LEFT - _RIGHT) / scopes
        self._byte = _BYTES_HIGH / max(1, total)

    def opening(self, title: str, explained: str) -> str:
        """Everything up to the first block."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" font-family="sans-serif" font-size="11">\n'
            '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)"><rect width="6" height="6" fill="#fdfefe"/>'
            '<path d="M0 0V6" stroke="#808b96" stroke-width="1.5"/></pattern></defs>\n'
            f'<rect width="{self.width}" height="{self.height}" fill="#ffffff"/>\n'
            f'<text x="{_LEFT}" y="22" font-size="15" font-weight="bold">{escape(title)}</text>\n'
            f'<text x="{_LEFT}" y="42">{escape(explained)}</text>'
        )

    def x(self, scope: int) -> float:
        """Left edge of a column."""
        return _LEFT + scope * self._column

    def y(self, offset: int) -> float:
        """Of a byte of the arena."""
        return _TOP + _BYTES_HIGH - offset * self._byte

    def band(self, scope: int) -> str:
        """A column brought out."""
        return (
            f'<rect x="{self.x(scope):.2f}" y="{_TOP}" width="{self._column:.2f}" height="{_BYTES_HIGH}" '
            'fill="#fdebd0"/>'
        )

    def block(
        self, first: int, last: int, offset: int, size: int, style: Style, name: str, role: str = ""
    ) -> str:
        """One rectangle; its text only where there is room, its title always, its role beside it."""
        x, y = self.x(first), self.y(offset + size)
        wide, high = self.x(last + 1) - x, size * self._byte
        title = escape(f"{name}: {size:,} bytes at {offset:,}")
        fill = "url(#hatch)" if style.hatched else style.fill
        rect = (
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" height="{high:.2f}" '
            f'fill="{fill}" stroke="#566573" stroke-width="0.6"><title>{title}</title></rect>'
        )
        return rect + _inside(x, y, wide, high, style, name, size) + self._beside(x, y, wide, role)

    def _beside(self, x: float, y: float, wide: float, role: str) -> str:
        if not role:
            return ""
        left, right = f'x="{x + 2:.2f}"', f'x="{x + wide:.2f}" text-anchor="end"'
        place = left if x < self.width / 2 else right
        return f'<text {place} y="{y - 3:.2f}" font-size="10">{role}</text>'

    def mark(self, text: str, offset: int) -> str:
        """A line across at so many bytes."""
        y = self.y(offset)
        line = (
            f'<line x1="{_LEFT - 6}" x2="{self.width - _RIGHT}" y1="{y:.2f}" y2="{y:.2f}" stroke="#1b2631"/>'
        )
        return f'{line}<text x="{_LEFT - 8}" y="{y + 4:.2f}" text-anchor="end">{escape(text)}</text>'

    def bound(self, offset: int) -> str:
        """The lower bound, across."""
        y = self.y(offset)
        return (
            f'<line x1="{_LEFT}" x2="{self.width - _RIGHT}" y1="{y:.2f}" y2="{y:.2f}" '
            f'stroke="{LOWER_BOUND.fill}" stroke-width="2" stroke-dasharray="8 5"/>'
        )

    def scope(self, index: int, name: str, strong: bool = False) -> str:
        """The name of a column, upright; left out where columns are too narrow."""
        if self._column < 9:
            return ""
        x, y = self.x(index) + self._column / 2 + 4, _TOP + _BYTES_HIGH + 8
        weight = ' font-weight="bold"' if strong else ""
        return (
            f'<text x="{x:.2f}" y="{y}" text-anchor="end" font-size="10"{weight} '
            f'transform="rotate(-90 {x:.2f} {y})">{escape(name[:24])}</text>'
        )

    def legend(self, entries: Mapping[str, Style]) -> str:
        """What the colours mean, in one line under the title."""
        parts, x = [], float(_LEFT)
        for text, style in entries.items():
            fill = "url(#hatch)" if style.hatched else style.fill
            high, dash = (2, ' stroke-dasharray="4 3"') if style.dashed else (11, "")
            y = 57 + (11 - high) / 2
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="16" height="{high}" fill="{fill}" stroke="#566573" '
                f'stroke-width="0.6"{dash}/><text x="{x + 21:.1f}" y="66">{escape(text)}</text>'
            )
            x += 21 + len(text) * _LETTER + 18
        return "".join(parts)


def _inside(x: float, y: float, wide: float, high: float, style: Style, name: str, size: int) -> str:
    """Name and size: across, upright in a narrow block, or nothing."""
    upright = wide < 9 * _LETTER and high > wide
    long, short = (high, wide) if upright else (wide, high)
    letters = int((long - 6) / _LETTER)
    lines = [_short(name, letters)] if letters >= _LEAST_LETTERS else []
    if letters >= len(f"{size:,}") and short > 2 * _LINE * len(lines):
        lines.append(f"{size:,}")
    if short < _LINE or not lines:
        return ""
    first = -(len(lines) - 1) * _LINE / 2 + 4
    if upright:
        turn = f"translate({x + wide / 2:.2f} {y + high - 3:.2f}) rotate(-90)"
    else:
        turn = f"translate({x + 3:.2f} {y + high / 2:.2f})"
    texts = "".join(
        f'<text y="{first + _LINE * turn:.1f}" fill="{style.text}">{escape(line)}</text>'
        for turn, line in enumerate(lines)
    )
    return f'<g transform="{turn}">{texts}</g>'


def _short(name: str, letters: int) -> str:
    """The last parts of the first of the names that a fused tensor has."""
    parts = name.split(";", maxsplit=1)[0].split("/")
    kept = "/".join(parts[-2:])
    return kept if len(kept) <= letters else kept[: letters - 1] + "…"
