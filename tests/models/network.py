"""A ``.tflite`` written down operator by operator, with the schema's object API and no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter.repair import pack

Type = schema.TensorType
_LEAST_SCALE, _MOST_SCALE = 1 / 1024, 1.0


class Wire(NamedTuple):
    """A computed int8 tensor: real value = scale * (stored value - zero)."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero: int


class Network:
    """A graph under construction; what is added first runs first."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        """Every int8 tensor that later operators may read, constants not among them."""
        self._buffers = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: dict[tuple[str, int], int] = {}
        self._inputs: list[int] = []

    def input(self, shape: tuple[int, ...], scale: float, zero: int) -> Wire:
        """A tensor that the caller of the model fills."""
        wire = self.activation(shape, scale, zero)
        self._inputs.append(wire.index)
        return wire

    def activation(self, shape: tuple[int, ...], scale: float, zero: int) -> Wire:
        """A tensor for an operator to write; beyond these scales some kernels' fixed point runs over."""
        scale = float(np.float32(min(max(scale, _LEAST_SCALE), _MOST_SCALE)))
        wire = Wire(self.tensor(shape, Type.INT8, [scale], [zero]), shape, scale, zero)
        self.wires.append(wire)
        return wire

    def constant(
        self, values: np.ndarray, scales: Sequence[float] = (), zeros: Sequence[int] = (), axis: int = 0
    ) -> int:
        """A tensor that the file holds; several scales are those of the channels along ``axis``."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._buffers.append(buffer)
        kind = getattr(Type, values.dtype.name.upper())
        index = self.tensor(values.shape, kind, scales, zeros or [0] * len(scales), len(self._buffers) - 1)
        if len(scales) > 1:
            self._tensors[index].quantization.quantizedDimension = axis
        return index

    def variable(self, shape: tuple[int, ...], kind: int, scale: float) -> int:
        """A tensor that keeps its values between inferences, from zero."""
        index = self.tensor(shape, kind, [scale], [0])
        self._tensors[index].isVariable = True
        return index

    def tensor(
        self,
        shape: Sequence[int],
        kind: int,
        scales: Sequence[float] = (),
        zeros: Sequence[int] = (),
        buffer: int = 0,
    ) -> int:
        """Any tensor, by what the schema says of it."""
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = f"t{len(self._tensors)}", list(shape), kind, buffer
        if len(scales):
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = list(scales), list(zeros)
        self._tensors.append(made)
        return len(self._tensors) - 1

    def operator(
        self,
        name: str,
        inputs: Sequence[int | Wire],
        outputs: Sequence[Wire],
        options: Any = None,
        version: int = 1,
    ) -> None:
        """One more operator; ``options`` is the schema's table for it."""
        made = schema.OperatorT()
        made.opcodeIndex = self._codes.setdefault((name, version), len(self._codes))
        made.inputs = [one.index if isinstance(one, Wire) else one for one in inputs]
        made.outputs = [wire.index for wire in outputs]
        if options is not None:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            made.builtinOptions = options
        self._operators.append(made)

    @property
    def loose_ends(self) -> list[Wire]:
        """Wires that no operator reads."""
        read = {index for made in self._operators for index in made.inputs}
        return [wire for wire in self.wires if wire.index not in read]

    def tree(self, *outputs: Wire) -> Any:
        """The model as the schema's ``ModelT``, to be spoilt or packed."""
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = "main", self._tensors, self._operators
        graph.inputs, graph.outputs = self._inputs, [wire.index for wire in outputs]
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self._buffers
        model.operatorCodes = [_code(*key) for key in self._codes]
        return model

    def finish(self, *outputs: Wire) -> bytes:
        """The file."""
        return pack(self.tree(*outputs))


def _code(name: str, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
    return code
