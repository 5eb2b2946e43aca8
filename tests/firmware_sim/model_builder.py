"""Int8 models written down operator by operator, for differential tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_TYPES = {"int8": 9, "int16": 7, "int32": 2, "int64": 4, "float32": 0}
Scales = float | Sequence[float] | None


class ModelBuilder:
    """Tensors and operators in the order in which they are added; indices are the file's."""

    def __init__(self) -> None:
        self._buffers = [schema.BufferT()]
        self.tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: dict[str, int] = {}

    def tensor(
        self,
        shape: Sequence[int],
        scale: Scales = None,
        zero: int = 0,
        *,
        dtype: str = "int8",
        variable: bool = False,
        axis: int = 0,
    ) -> int:
        """One that is computed, given, or (``variable``) kept."""
        made = schema.TensorT()
        made.name, made.shape, made.type = f"t{len(self.tensors)}", list(shape), _TYPES[dtype]
        made.buffer, made.isVariable = 0, variable
        if scale is not None:
            scales = [float(scale)] if isinstance(scale, (int, float)) else list(scale)
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = scales, [zero] * len(scales)
            made.quantization.quantizedDimension = axis
        self.tensors.append(made)
        return len(self.tensors) - 1

    def constant(self, values: np.ndarray, scale: Scales = None, zero: int = 0, *, axis: int = 0) -> int:
        index = self.tensor(values.shape, scale, zero, dtype=str(values.dtype), axis=axis)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._buffers.append(buffer)
        self.tensors[index].buffer = len(self._buffers) - 1
        return index

    def op(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: str | None = None,
        **values: Any,
    ) -> None:
        """``options``: the schema's name of the table, as ``Conv2DOptions``; ``values`` its fields."""
        made = schema.OperatorT()
        made.opcodeIndex = self._codes.setdefault(name, len(self._codes))
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            made.builtinOptions = getattr(schema, options + "T")()
            for field, value in values.items():
                if not hasattr(made.builtinOptions, field):
                    raise AttributeError(f"{options} has no {field}")
                setattr(made.builtinOptions, field, value)
        self._operators.append(made)

    def finish(self, given: int, made: int) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self._operators
        graph.inputs, graph.outputs = [given], [made]
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self._buffers
        model.operatorCodes = [_code(name) for name in self._codes]
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def _code(name: str) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 1
    return code
