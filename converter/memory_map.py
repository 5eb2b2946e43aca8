"""A picture of the tensor arena: which bytes hold which tensor while which operator runs.

SVG, the same bytes for the same model. TFLM's arena is the head (tensors and scratch, planned) from its
start, the tail (persistent structures) from its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from converter.arena import ArenaReport
from converter.flatbuffer import Graph, Model
from converter.planning.buffers import Buffer, buffers_of
from converter.planning.offline import plan_in
from converter.planning.placement import greedy, height
from wire.errors import FleetError

FILE: Final = "memory_map.svg"
_WIDTH: Final = 960
_LEFT: Final = 90
_RIGHT: Final = 20
_TOP: Final = 48
_BYTES_HIGH: Final = 420
"""Pixels for the whole arena."""
_LABELS_HIGH: Final = 120
_COLOURS: Final = ("#7fb3d5", "#82c7a5", "#f0c27b", "#c39bd3", "#e59866", "#a3c1ad", "#d7a9a9", "#9fb6cd")
_LETTER: Final = 6.4
"""Pixels, on the wide side."""
_LINE: Final = 13
_TAIL: Final = "#d5d8dc"
_SCRATCH: Final = "#f2f3f4"


def draw(model: bytes, parsed: Model, arena: ArenaReport) -> bytes | None:
    """The picture; None where the places of tensors are not known (control flow, half a plan in the file)."""
    try:
        buffers = buffers_of(parsed)
        offsets = plan_in(model) or greedy(buffers)
    except FleetError:
        return None
    if not buffers or any(buffer.tensor not in offsets for buffer in buffers):
        return None
    if height(buffers, offsets) > arena.head:
        return None
    return _svg(parsed.graphs[0], buffers, offsets, arena).encode()


def _svg(graph: Graph, buffers: Sequence[Buffer], offsets: Mapping[int, int], arena: ArenaReport) -> str:
    page = _Page(len(graph.operators) + 1, arena.total)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{page.height}" '
        f'viewBox="0 0 {_WIDTH} {page.height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{page.height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">Tensor arena: {arena.total:,} bytes = '
        f"head {arena.head:,} + tail {arena.tail:,}</text>",
        f'<text x="{_LEFT}" y="38">bytes (upwards) while each operator runs (to the right); '
        "of a 64-bit host</text>",
    ]
    parts.append(page.block(0, page.scopes - 1, arena.total - arena.tail, arena.tail, _TAIL, "tail"))
    planned = height(buffers, offsets)
    if arena.head > planned:
        parts.append(page.block(0, page.scopes - 1, planned, arena.head - planned, _SCRATCH, "scratch"))
    for turn, buffer in enumerate(buffers):
        tensor = graph.tensors[buffer.tensor]
        name = _printable(tensor.name) or f"tensor {tensor.index}"
        colour = _COLOURS[turn % len(_COLOURS)]
        first, last = max(0, buffer.first), max(0, buffer.last)
        parts.append(page.block(first, last, offsets[buffer.tensor], buffer.size, colour, name))
    marks = {"0": 0, f"head {arena.head:,}": arena.head, f"total {arena.total:,}": arena.total}
    parts += [page.mark(text, at) for text, at in marks.items()]
    parts += [page.scope(index, op.name) for index, op in enumerate(graph.operators, start=1)]
    parts.append(page.scope(0, "inputs"))
    return "\n".join([*parts, "</svg>", ""])


def _printable(name: str) -> str:
    """XML takes no control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _short(name: str, letters: int) -> str:
    """The last parts of the first of the names that a fused tensor has."""
    parts = name.split(";", maxsplit=1)[0].split("/")
    kept = "/".join(parts[-2:])
    return kept if len(kept) <= letters else kept[: letters - 1] + "…"


class _Page:
    """Scopes and bytes to pixels."""

    def __init__(self, scopes: int, total: int) -> None:
        self.scopes = scopes
        self.height = _TOP + _BYTES_HIGH + _LABELS_HIGH
        self._column = (_WIDTH - _LEFT - _RIGHT) / scopes
        self._byte = _BYTES_HIGH / max(1, total)

    def x(self, scope: int) -> float:
        return _LEFT + scope * self._column

    def y(self, offset: int) -> float:
        return _TOP + _BYTES_HIGH - offset * self._byte

    def block(self, first: int, last: int, offset: int, size: int, colour: str, name: str) -> str:
        """One rectangle; its text only where there is room, its title always."""
        x, y = self.x(first), self.y(offset + size)
        wide, high = self.x(last + 1) - x, size * self._byte
        title = escape(f"{name}: {size:,} bytes at {offset:,}")
        rect = (
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" height="{high:.2f}" '
            f'fill="{colour}" stroke="#566573" stroke-width="0.6"><title>{title}</title></rect>'
        )
        letters = int(wide / _LETTER)
        if high < _LINE or letters < 6:
            return rect
        lines = [_short(name, letters), f"{size:,}"] if high > 2 * _LINE else [f"{size:,}"]
        middle = y + high / 2 + 4 - (len(lines) - 1) * _LINE / 2
        return rect + "".join(
            f'<text x="{x + 3:.2f}" y="{middle + _LINE * turn:.2f}">{escape(line)}</text>'
            for turn, line in enumerate(lines)
        )

    def mark(self, text: str, offset: int) -> str:
        """A line across at so many bytes."""
        y = self.y(offset)
        line = f'<line x1="{_LEFT - 6}" x2="{_WIDTH - _RIGHT}" y1="{y:.2f}" y2="{y:.2f}" stroke="#1b2631"/>'
        return f'{line}<text x="{_LEFT - 8}" y="{y + 4:.2f}" text-anchor="end">{escape(text)}</text>'

    def scope(self, index: int, name: str) -> str:
        """The name of a column, upright; left out where columns are too narrow."""
        if self._column < 9:
            return ""
        x, y = self.x(index) + self._column / 2 + 4, _TOP + _BYTES_HIGH + 8
        shown = escape(name[:18])
        return (
            f'<text x="{x:.2f}" y="{y}" text-anchor="end" font-size="9" '
            f'transform="rotate(-90 {x:.2f} {y})">{shown}</text>'
        )
