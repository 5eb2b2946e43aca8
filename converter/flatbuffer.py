"""What a ``.tflite`` file says of itself, read with the schema that LiteRT's wheel ships.

The generated readers do not check offsets, and the interpreters trust them; so everything that will
be followed is followed here first, with bounds.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from wire.errors import InputError
from wire.limits import MAX_BUNDLE_BYTES

Span = tuple[int, int] | None
PLAN_NAME: Final = b"OfflineMemoryAllocation"
_MAX_COUNT: Final = 16_384
_MAX_RANK: Final = 8
_MAX_OPERANDS: Final = 512
_BITS: Final = {
    "FLOAT64": 64, "INT64": 64, "UINT64": 64, "FLOAT32": 32, "INT32": 32, "UINT32": 32, "FLOAT16": 16,
    "INT16": 16, "UINT16": 16, "INT8": 8, "UINT8": 8, "BOOL": 8, "INT4": 4,
}  # fmt: skip


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if not name.startswith("_")}


_TYPES: Final = _names(schema.TensorType)
_OPERATORS: Final = _names(schema.BuiltinOperator)


@dataclass(frozen=True)
class Tensor:
    """One tensor of a graph."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    span: tuple[int, int] | None
    """Where in the file its values are: start and end; None when they are computed."""
    scales: tuple[float, ...]
    """Like ``zero_points``, read only for what goes into or out of a graph, or has just one."""
    zero_points: tuple[int, ...]
    channels: int = 0
    """How many scales the file gives: 0 is unquantised, more than 1 is per channel."""
    external: bool = False
    """Whether the values are stored behind the flatbuffer, where TFLM does not look."""
    open_axes: tuple[int, ...] = ()
    """Axes whose length is left open (-1 in the shape signature); ``shape`` has 1 there."""
    axis: int = 0
    """Along which the channels lie, when there are several."""
    zeros: int = 0
    """How many zero points the file gives."""
    scale_range: tuple[float, float] = (1.0, 1.0)
    """Least and greatest of all scales, nan if any is; any values when there are none."""
    zero_range: tuple[int, int] = (0, 0)
    """Least and greatest zero point."""
    variable: bool = False
    """Whether it keeps its values from one inference to the next."""
    name: str = ""

    @property
    def constant(self) -> bool:
        """Whether the file holds its values."""
        return self.span is not None

    @property
    def nbytes(self) -> int:
        """Size of its values; 0 for types without a fixed size."""
        return (math.prod(self.shape) * _BITS.get(self.dtype, 0) + 7) // 8


@dataclass(frozen=True)
class Operator:
    """One node; operands are indices of tensors, -1 for one left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int = 1
    has_options: bool = True
    """Whether the file gives its settings (``builtin_options``); of RESHAPE: the new shape."""


@dataclass(frozen=True)
class Graph:
    """One subgraph."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_name: str
    output_name: str


@dataclass(frozen=True)
class Model:
    """The file: its graphs, the first being the one that is called."""

    graphs: tuple[Graph, ...]
    external_buffers: int
    """Buffers stored behind the flatbuffer, where TFLM does not look."""
    plan: tuple[int, ...] | None = None
    """int32 words of the memory plan inside (see ``planning.offline``), header included; None without one."""

    @property
    def ops(self) -> list[str]:
        """Operators by name, each once, in order of first use."""
        return list(dict.fromkeys(op.name for graph in self.graphs for op in graph.operators))

    @property
    def activation_bytes(self) -> int:
        """Bytes of all tensors that are not constants, none sharing memory with another."""
        return sum(t.nbytes for graph in self.graphs for t in graph.tensors if not t.constant)


def parse(data: bytes) -> Model:
    """Read and check the file's structure; InputError when any part of it does not hold together."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise InputError("oversize", f"model of {len(data)} bytes is over {MAX_BUNDLE_BYTES}", "shrink it")
    if len(data) < 32 or data[4:8] != b"TFL3":
        raise InputError("not_tflite", "not a .tflite file", "give a .keras, a .tflite or a run folder")
    try:
        return _model(data)
    except (struct.error, ValueError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            "damaged_model", f"the .tflite file is damaged: {str(error)[:120]}", "copy or convert it again"
        ) from error


def weight_spans(data: bytes) -> list[tuple[int, int]]:
    """Where the int8 weights (rank 2 and more) are in the file, each once, by position."""
    tensors = [tensor for graph in parse(data).graphs for tensor in graph.tensors]
    weights = {t.span for t in tensors if t.span and t.dtype == "INT8" and len(t.shape) > 1}
    return sorted(weights)


def _model(data: bytes) -> Model:
    root = schema.Model.GetRootAs(data)
    buffers = [root.Buffers(index) for index in range(_count(root.BuffersLength()))]
    base = np.frombuffer(data, np.uint8).ctypes.data
    stored = [_stored(buffer, base, len(data)) for buffer in buffers]
    codes = [_code(root.OperatorCodes(index)) for index in range(_count(root.OperatorCodesLength()))]
    graphs = tuple(
        _graph(root.Subgraphs(index), codes, stored) for index in range(_count(root.SubgraphsLength(), 64))
    )
    if not graphs:
        raise ValueError("no graph")
    return Model(graphs, sum(found.external for found in stored), _plan(root, stored, data))


def _plan(root: Any, stored: list[_Stored], data: bytes) -> tuple[int, ...] | None:
    """TFLM takes the last entry of that name, and of its bytes whole words."""
    entries = [root.Metadata(index) for index in range(_count(root.MetadataLength()))]
    plans = [entry.Buffer() for entry in entries if entry.Name() == PLAN_NAME]
    if not plans:
        return None
    start, end = stored[plans[-1]].span or (0, 0)
    words = np.frombuffer(data[start : end - (end - start) % 4], "<i4")
    return tuple(int(word) for word in words)


class _Stored(NamedTuple):
    span: Span
    external: bool


class _Code(NamedTuple):
    name: str
    version: int


def _stored(buffer: Any, base: int, file_bytes: int) -> _Stored:
    # Schema: offset and size count from the file's start; 0 and 1 say that they are not used.
    offset, size = buffer.Offset(), buffer.Size()
    if offset > 1 or size > 1:
        if offset + size > file_bytes:
            raise ValueError(f"values at {offset} to {offset + size} in a file of {file_bytes} bytes")
        return _Stored((offset, offset + size), external=True)
    if not buffer.DataLength():
        return _Stored(None, external=False)
    # A view of the file's own bytes; making it proves that they lie inside the file.
    values = buffer.DataAsNumpy()
    start = values.ctypes.data - base
    return _Stored((start, start + values.nbytes), external=False)


def _code(code: Any) -> _Code:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _OPERATORS.get(number, f"OPERATOR_{number}")
    custom = code.CustomCode() if name == "CUSTOM" else None
    shown = f"CUSTOM {custom.decode('utf-8', 'replace')}"[:64] if custom else name
    return _Code(shown, code.Version())


def _graph(raw: Any, codes: list[_Code], stored: list[_Stored]) -> Graph:
    known = range(_count(raw.TensorsLength()))
    inputs = _indices(raw.InputsLength(), raw.Inputs, known)
    outputs = _indices(raw.OutputsLength(), raw.Outputs, known)
    ends = {*inputs, *outputs}
    tensors = tuple(_tensor(raw.Tensors(index), index, stored, index in ends) for index in known)
    operators = []
    for index in range(_count(raw.OperatorsLength())):
        op = raw.Operators(index)
        code = codes[_natural(op.OpcodeIndex())]
        operators.append(
            Operator(
                code.name,
                _indices(op.InputsLength(), op.Inputs, known, optional=True),
                _indices(op.OutputsLength(), op.Outputs, known),
                code.version,
                _has_options(op, code.name),
            )
        )
    names = [_name(raw.Tensors(found[0])) if found else "" for found in (inputs, outputs)]
    return Graph(tensors, tuple(operators), inputs, outputs, *names)


def _has_options(op: Any, name: str) -> bool:
    table = op.BuiltinOptions()
    if table is None or name != "RESHAPE":
        return table is not None
    options = schema.ReshapeOptions()
    options.Init(table.Bytes, table.Pos)
    return _count(options.NewShapeLength(), _MAX_RANK) > 0


def _tensor(raw: Any, index: int, stored: list[_Stored], is_end: bool) -> Tensor:
    rank = _count(raw.ShapeLength(), _MAX_RANK)
    span, external = stored[_natural(raw.Buffer())]
    quantisation = raw.Quantization()
    channels = 0 if quantisation is None else _count(quantisation.ScaleLength())
    zeros = 0 if quantisation is None else _count(quantisation.ZeroPointLength())
    read = quantisation if is_end or channels == 1 else None
    signature = range(_count(raw.ShapeSignatureLength(), _MAX_RANK))
    tensor = Tensor(
        index=index,
        shape=tuple(int(raw.Shape(axis)) for axis in range(rank)),
        dtype=_TYPES.get(raw.Type(), f"TYPE_{raw.Type()}"),
        span=span,
        scales=tuple(float(scale) for scale in _values(read, "Scale")),
        zero_points=tuple(int(zero) for zero in _values(read, "ZeroPoint")),
        channels=channels,
        axis=0 if quantisation is None else int(quantisation.QuantizedDimension()),
        zeros=zeros,
        scale_range=_range(quantisation.ScaleAsNumpy()) if channels else (1.0, 1.0),
        zero_range=_range(quantisation.ZeroPointAsNumpy()) if zeros else (0, 0),
        external=external,
        open_axes=tuple(axis for axis in signature if raw.ShapeSignature(axis) < 0),
        variable=bool(raw.IsVariable()),
        name=_name(raw),
    )
    if any(length < 0 or length > MAX_BUNDLE_BYTES for length in tensor.shape):
        raise ValueError(f"tensor {index} has shape {tensor.shape}")
    exact = tensor.dtype in _BITS and raw.Sparsity() is None
    if span is not None and exact and tensor.nbytes != span[1] - span[0]:
        held = span[1] - span[0]
        raise ValueError(
            f"tensor {index} has {held} bytes, its shape {tensor.shape} asks for {tensor.nbytes}"
        )
    return tensor


def _values(quantisation: Any, field: str) -> list[Any]:
    if quantisation is None:
        return []
    length = _count(getattr(quantisation, f"{field}Length")())
    return [getattr(quantisation, field)(index) for index in range(length)]


def _range(values: NDArray[Any]) -> tuple[Any, Any]:
    return values.min().item(), values.max().item()


def _name(raw: Any) -> str:
    return (raw.Name() or b"").decode("utf-8", "replace")[:200]


def _count(length: int, limit: int = _MAX_COUNT) -> int:
    if not 0 <= length <= limit:
        raise ValueError(f"a list of {length} entries")
    return length


def _natural(index: int) -> int:
    if index < 0:
        raise IndexError(f"index {index}")
    return index


def _indices(length: int, item: Any, known: range, *, optional: bool = False) -> tuple[int, ...]:
    found = tuple(int(item(index)) for index in range(_count(length, _MAX_OPERANDS)))
    for index in found:
        if index not in known and not (optional and index == -1):
            raise IndexError(f"there is no tensor {index}")
    return found
