"""A ``.tflite``'s only graph with everything that compiling needs: options, scales, constants."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from converter.flatbuffer import parse
from wire.errors import InputError, RefusedError

_NUMPY: Final[dict[str, Any]] = {
    "INT8": np.int8, "INT32": np.int32, "INT64": np.int64, "FLOAT32": np.float32, "INT16": np.int16,
}  # fmt: skip
_TYPES: Final = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
_OPERATORS: Final = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
_MOST_VALUES: Final = 2**28
"""Of one tensor: offsets of more do not fit the image's words, nor any microcontroller."""
Array = NDArray[Any]


@dataclass(frozen=True)
class Tensor:
    """One tensor."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    values: Array | None
    """Of a constant."""
    variable: bool

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size of its values."""
        return self.size * int(np.dtype(_NUMPY.get(self.dtype, np.int8)).itemsize)

    @property
    def scale(self) -> float:
        """Of a tensor with just one; RefusedError for others."""
        if len(self.scales) != 1:
            raise RefusedError(
                "not_compiled",
                f"tensor {self.index} has {len(self.scales)} scales",
                "convert the model again",
            )
        return self.scales[0]

    @property
    def zero(self) -> int:
        """Zero point."""
        return self.zeros[0] if self.zeros else 0


@dataclass(frozen=True)
class Node:
    """One operator with its operands; None for one left out."""

    place: int
    name: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Any
    """The schema's object; None when the file gives none."""

    def input(self, place: int) -> Tensor:
        """An operand that must be there; RefusedError."""
        found = self.inputs[place] if place < len(self.inputs) else None
        if found is None:
            raise self.refused(f"lacks operand {place}")
        return found

    def constant(self, place: int) -> Array:
        """Values of an operand that must be in the file; RefusedError."""
        tensor = self.input(place)
        if tensor.values is None:
            raise self.refused(f"computes its operand {place}")
        return tensor.values

    @property
    def output(self) -> Tensor:
        """The first result."""
        return self.outputs[0]

    def require_int8(self) -> None:
        """RefusedError unless both the first operand and the result are int8 and hold something."""
        given, made = self.input(0), self.output
        if (given.dtype, made.dtype) != ("INT8", "INT8") or not given.size or not made.size:
            raise self.refused(f"goes from {given.dtype} {given.shape} to {made.dtype} {made.shape}")

    def refused(self, why: str) -> RefusedError:
        """The error for an operator that the runtime cannot execute."""
        return RefusedError(
            "not_compiled",
            f"operator {self.place}, {self.name}, {why}: the microcontroller runtime has no such form",
            "see docs/image.md for what it executes",
        )


@dataclass(frozen=True)
class Graph:
    """Nodes in order of execution."""

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    input: Tensor
    output: Tensor


def read(model: bytes) -> Graph:
    """The graph; InputError for a damaged file, RefusedError for several graphs, inputs or outputs."""
    parsed = parse(model)
    if len(parsed.graphs) != 1 or len(parsed.graphs[0].inputs) != 1 or len(parsed.graphs[0].outputs) != 1:
        raise RefusedError(
            "not_compiled",
            "the model has not just one graph, one input and one output",
            "export one signature",
        )
    try:
        return _graph(schema.ModelT.InitFromObj(schema.Model.GetRootAs(model)))
    except (
        struct.error,
        ValueError,
        IndexError,
        TypeError,
        AttributeError,
        KeyError,
        OverflowError,
    ) as error:
        raise InputError(
            "damaged_model", f"the .tflite file is damaged: {str(error)[:120]}", "copy or convert it again"
        ) from error


def _graph(tree: Any) -> Graph:
    raw = tree.subgraphs[0]
    tensors = tuple(_tensor(tree, index, tensor) for index, tensor in enumerate(raw.tensors))
    nodes = tuple(_node(tree, tensors, place, op) for place, op in enumerate(raw.operators))
    return Graph(tensors, nodes, tensors[raw.inputs[0]], tensors[raw.outputs[0]])


def _tensor(tree: Any, index: int, raw: Any) -> Tensor:
    dtype = _TYPES.get(raw.type, f"TYPE_{raw.type}")
    shape = tuple(int(length) for length in (raw.shape if raw.shape is not None else ()))
    if math.prod(shape) > _MOST_VALUES:
        raise ValueError(f"tensor {index} has {math.prod(shape)} values")
    quantisation = raw.quantization
    data = tree.buffers[raw.buffer].data
    values = None
    if data is not None and len(data) and dtype in _NUMPY:
        values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), _NUMPY[dtype]).reshape(shape)
    return Tensor(
        index=index,
        shape=shape,
        dtype=dtype,
        scales=tuple(map(float, _listed(quantisation, "scale"))),
        zeros=tuple(map(int, _listed(quantisation, "zeroPoint"))),
        values=values,
        variable=bool(raw.isVariable),
    )


def _listed(quantisation: Any, field: str) -> Any:
    found = None if quantisation is None else getattr(quantisation, field)
    return () if found is None else found


def _node(tree: Any, tensors: tuple[Tensor, ...], place: int, op: Any) -> Node:
    code = tree.operatorCodes[op.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return Node(
        place=place,
        name=_OPERATORS.get(number, f"OPERATOR_{number}"),
        inputs=tuple(None if index < 0 else tensors[index] for index in op.inputs),
        outputs=tuple(tensors[index] for index in op.outputs),
        options=op.builtinOptions,
    )
