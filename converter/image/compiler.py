"""An int8 ``.tflite`` to an image: operators to steps, steps to a planned arena, all of it to bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from converter.image import (
    arena,
    binary,
    conv,
    depthwise,
    dequantize,
    lookup,
    lstm,
    movement,
    padding,
    pool,
    reduce,
    resize,
    softmax,
    svdf,
    transpose_conv,
)
from converter.image.arena import Arena
from converter.image.graph import Array, Graph, Node, read
from converter.image.lookup import Tabulate, tables_in_child
from converter.image.step import Step
from wire.errors import RefusedError
from wire.image import HEADER_BYTES, ImageHeader, seal

STEPS: Final[dict[str, Callable[[Node], Step]]] = {
    "ADD": binary.sum_of,
    "AVERAGE_POOL_2D": pool.pool,
    "CONCATENATION": movement.concatenation,
    "CONV_2D": conv.conv,
    "DEPTHWISE_CONV_2D": depthwise.depthwise,
    "DEQUANTIZE": dequantize.dequantize,
    "FULLY_CONNECTED": conv.dense,
    "MAXIMUM": binary.extreme,
    "MAX_POOL_2D": pool.pool,
    "MEAN": reduce.reduce,
    "MINIMUM": binary.extreme,
    "MIRROR_PAD": padding.mirror_pad,
    "MUL": binary.product,
    "PACK": movement.pack,
    "PAD": padding.pad,
    "PADV2": padding.pad,
    "REDUCE_MAX": reduce.reduce,
    "REDUCE_MIN": reduce.reduce,
    "RESIZE_BILINEAR": resize.bilinear,
    "RESIZE_NEAREST_NEIGHBOR": resize.nearest,
    "SLICE": movement.slice_of,
    "SOFTMAX": softmax.softmax,
    "SPLIT": movement.split,
    "SPLIT_V": movement.split,
    "STRIDED_SLICE": movement.strided_slice,
    "SUB": binary.sum_of,
    "SUM": reduce.reduce,
    "SVDF": svdf.svdf,
    "TRANSPOSE_CONV": transpose_conv.transpose_conv,
    "TRANSPOSE": movement.transpose,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm.lstm,
    "UNPACK": movement.unpack,
}
"""By operator. What is not here, not in FOLDED and has no table (lookup.py) is refused by name."""
FOLDED: Final = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
"""The same bytes under another shape: nothing is left to execute."""
EXECUTED: Final = frozenset({*STEPS, *lookup.NAMES})
"""Names that an image's records can have."""
_OPERANDS: Final = {**dict.fromkeys(FOLDED, slice(1)), "TRANSPOSE_CONV": slice(1, None)}
"""Those that are not shapes, where there are such."""
_CONSTANT_ALIGNMENT: Final = 4
_WORDS_OF_HEAD: Final = 1
_UNSOUND: Final = (ValueError, IndexError, TypeError, KeyError, AttributeError, ArithmeticError)
"""What shapes, options and constants that do not belong together end as; the file may be anything."""


class Image(NamedTuple):
    """What a microcontroller stores for one model."""

    data: bytes
    header: ImageHeader
    ops: tuple[str, ...]
    """Names of the records' operators, in order of execution."""
    arena: Arena


def compile_image(model: bytes, tabulate: Tabulate = tables_in_child) -> Image:
    """RefusedError names the operator that the runtime does not execute; InputError for a damaged file."""
    graph = read(model)
    nodes = _needed(graph)
    if not nodes:
        raise RefusedError("not_compiled", "the model computes nothing", "export its layers too")
    known = lookup.lookups([node for node in nodes if lookup.tabulated(node)], tabulate)
    steps = [_step(node, known) for node in nodes if node.name not in FOLDED]
    aliases = {node.output.index: _alias(node) for node in nodes if node.name in FOLDED}
    planned = arena.plan(graph, steps, aliases)
    body = _Body()
    records = [_record(step, body.places(planned, turn)) for turn, step in enumerate(steps)]
    state_at = body.hold(planned.state.values) if planned.state.values.any() else 0
    ops_at = HEADER_BYTES + len(body.constants)
    header = ImageHeader(
        magic=0,
        format=0,
        bytes=0,
        crc32=0,
        ops=len(steps),
        ops_at=ops_at,
        arena_bytes=planned.bytes,
        state_bytes=planned.state.bytes,
        state_at=state_at,
        input_at=planned.tensors[graph.input.index],
        input_bytes=graph.input.nbytes,
        output_at=planned.tensors[graph.output.index],
        output_bytes=graph.output.nbytes,
    )
    data = seal(header, bytes(body.constants) + b"".join(records))
    return Image(data, header, tuple(step.name for step in steps), planned)


def _step(node: Node, known: Mapping[int, Step]) -> Step:
    if any(made.variable for made in node.outputs):
        raise node.refused("writes a variable")
    step = known.get(node.place) or _built(node)
    constants = {tensor.index for tensor in node.inputs if tensor is not None and tensor.values is not None}
    if constants & set(step.reads):
        raise node.refused("has a constant where it computes")
    return step


def _built(node: Node) -> Step:
    if node.name not in STEPS:
        raise node.refused("is not among its kernels")
    try:
        return STEPS[node.name](node)
    except AttributeError as error:
        # What the file says of its settings has other fields, or it says nothing.
        raise node.refused("lacks the settings of its kind") from error
    except _UNSOUND as error:
        raise node.refused(f"does not hold together ({str(error)[:80]})") from error


def _alias(node: Node) -> int:
    """Of a folded node: the tensor that its output is."""
    if node.input(0).values is not None:
        raise node.refused("has a constant where it computes")
    return node.input(0).index


def _needed(graph: Graph) -> list[Node]:
    """Nodes that the output depends on: not those that compute a shape which is known already."""
    wanted, needed = {graph.output.index}, []
    for node in reversed(graph.nodes):
        if not wanted & {made.index for made in node.outputs}:
            continue
        needed.append(node)
        operands = node.inputs[_OPERANDS.get(node.name, slice(None))]
        wanted |= {tensor.index for tensor in operands if tensor is not None and tensor.values is None}
    return needed[::-1]


def _record(step: Step, places: _StepPlaces) -> bytes:
    words = step.words(places)
    head = step.kind | (len(words) + _WORDS_OF_HEAD) << 16
    try:
        return np.array([head, *words], "<i4").tobytes()
    except OverflowError as error:
        raise RefusedError("not_compiled", f"{step.name}: {error}", "report this") from error


class _Body:
    """Constants, each held once."""

    def __init__(self) -> None:
        self.constants = bytearray()
        self._known: dict[bytes, int] = {}

    def hold(self, values: Array) -> int:
        data = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
        if data not in self._known:
            self.constants += bytes(-len(self.constants) % _CONSTANT_ALIGNMENT)
            self._known[data] = HEADER_BYTES + len(self.constants)
            self.constants += data + bytes(-len(data) % _CONSTANT_ALIGNMENT)
        return self._known[data]

    def places(self, planned: Arena, turn: int) -> _StepPlaces:
        return _StepPlaces(self, planned, turn)


class _StepPlaces(NamedTuple):
    """``Places`` of one step."""

    body: _Body
    planned: Arena
    turn: int

    def tensor(self, index: int) -> int:
        return self.planned.tensors[index]

    @property
    def scratch(self) -> int:
        return self.planned.scratch[self.turn]

    def constant(self, values: Array) -> int:
        return self.body.hold(values)


def describe(image: Image) -> Sequence[str]:
    """A line per record, for people."""
    return [f"{place}: {name}" for place, name in enumerate(image.ops)]
