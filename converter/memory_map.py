"""A picture of the tensor arena: which bytes hold which tensor while which operator runs.

SVG, the same bytes for the same model. TFLM's arena is the head (tensors and scratch, planned) from its
start, the tail (persistent structures) from its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from converter.arena import ArenaReport
from converter.flatbuffer import Graph, Model
from converter.memory_page import LOWER_BOUND, Page, Style
from converter.planning.buffers import Buffer, buffers_of
from converter.planning.offline import plan_in
from converter.planning.placement import greedy, height, lower_bound
from wire.errors import FleetError

FILE: Final = "memory_map.svg"
_TENSORS: Final = tuple(Style(fill) for fill in ("#a9cce3", "#a9dfbf", "#f9e0a8", "#d7bde2", "#f5cba7"))
_INPUT: Final = Style("#1f618d", "#ffffff")
_OUTPUT: Final = Style("#922b21", "#ffffff")
_TAIL: Final = Style("#d5d8dc")
_SCRATCH: Final = Style("#fdfefe", hatched=True)


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
    page = Page(len(graph.operators) + 1, arena.total)
    bound = lower_bound(buffers)
    busiest = _busiest(buffers, bound)
    last = page.scopes - 1
    parts = [
        f"Tensor arena: {arena.total:,} bytes = head {arena.head:,} + tail {arena.tail:,}",
        f"Bytes (upwards) while each operator runs (to the right). Most are needed while "
        f"{_scope(graph, busiest)} runs: {bound:,}. Measured on a 64-bit host.",
    ]
    svg = [page.opening(*parts), page.band(busiest)]
    svg.append(page.block(0, last, arena.total - arena.tail, arena.tail, _TAIL, "tail"))
    planned = height(buffers, offsets)
    if arena.head > planned:
        svg.append(page.block(0, last, planned, arena.head - planned, _SCRATCH, "scratch"))
    svg += _tensors(page, graph, buffers, offsets)
    marks = {"0": 0, f"head {arena.head:,}": arena.head, f"total {arena.total:,}": arena.total}
    svg += [page.mark(text, at) for text, at in marks.items()]
    svg.append(page.bound(bound))
    svg += [page.scope(index, _scope(graph, index), index == busiest) for index in range(page.scopes)]
    svg.append(page.legend(_legend(arena.head > planned, bound)))
    return "\n".join([*filter(None, svg), "</svg>", ""])


def _busiest(buffers: Sequence[Buffer], bound: int) -> int:
    """The first scope in which as many bytes are needed as the lower bound says."""
    scopes = sorted({max(0, buffer.first) for buffer in buffers})
    return next((at for at in scopes if sum(b.size for b in buffers if b.first <= at <= b.last) == bound), 0)


def _scope(graph: Graph, index: int) -> str:
    return f"{index} {graph.operators[index - 1].name}" if index else "inputs"


def _tensors(
    page: Page, graph: Graph, buffers: Sequence[Buffer], offsets: Mapping[int, int]
) -> Iterator[str]:
    for turn, buffer in enumerate(buffers):
        tensor = graph.tensors[buffer.tensor]
        name = _printable(tensor.name) or f"tensor {tensor.index}"
        style, role = _TENSORS[turn % len(_TENSORS)], ""
        if tensor.index in graph.inputs:
            style, role = _INPUT, "input"
        elif tensor.index in graph.outputs:
            style, role = _OUTPUT, "output"
        first, last = max(0, buffer.first), max(0, buffer.last)
        yield page.block(first, last, offsets[buffer.tensor], buffer.size, style, name, role)


def _legend(scratch: bool, bound: int) -> dict[str, Style]:
    entries = {"input": _INPUT, "output": _OUTPUT, "other tensors": _TENSORS[0]}
    if scratch:
        entries["scratch of kernels"] = _SCRATCH
    return entries | {"tail: what TFLM keeps": _TAIL, f"no plan can be lower: {bound:,}": LOWER_BOUND}


def _printable(name: str) -> str:
    """XML takes no control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
