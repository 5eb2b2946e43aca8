"""Random small int8 graphs with branches, which TFLM really runs: convolutions, additions, concatenations."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SIDE = 6
_SCALE = 0.05
_WEIGHTS = 0.01
_OPS = {
    "CONV_2D": (schema.BuiltinOperator.CONV_2D, schema.BuiltinOptions.Conv2DOptions, 3),
    "ADD": (schema.BuiltinOperator.ADD, schema.BuiltinOptions.AddOptions, 2),
    "CONCATENATION": (
        schema.BuiltinOperator.CONCATENATION,
        schema.BuiltinOptions.ConcatenationOptions,
        2,
    ),
}


class GraphBuilder:
    """Adds operators one by one; every tensor is (1, SIDE, SIDE, channels)."""

    def __init__(self, channels: int, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._buffers = [schema.BufferT()]
        self._tensors: list[schema.TensorT] = []
        self._operators: list[schema.OperatorT] = []
        self._read: set[int] = set()
        self.channels: dict[int, int] = {}
        self.input = self._activation(channels)

    @property
    def loose_ends(self) -> list[int]:
        """Computed tensors that nothing reads yet."""
        return [index for index in self.channels if index not in self._read]

    def conv(self, source: int, channels: int) -> int:
        """A convolution 1x1 with random weights."""
        weights = self._random.integers(-127, 128, (channels, 1, 1, self.channels[source]), np.int8)
        options = schema.Conv2DOptionsT()
        options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
        operands = [
            source,
            self._constant(weights, schema.TensorType.INT8, [_WEIGHTS] * channels),
            self._constant(
                np.zeros(channels, np.int32), schema.TensorType.INT32, [_SCALE * _WEIGHTS] * channels
            ),
        ]
        return self._operator("CONV_2D", operands, channels, options)

    def add(self, one: int, other: int) -> int:
        """A sum of two tensors of the same channels."""
        return self._operator("ADD", [one, other], self.channels[one], schema.AddOptionsT())

    def concatenate(self, one: int, other: int) -> int:
        """Channels of both, one after the other."""
        options = schema.ConcatenationOptionsT()
        options.axis = 3
        return self._operator(
            "CONCATENATION", [one, other], self.channels[one] + self.channels[other], options
        )

    def idle(self, channels: int) -> int:
        """A tensor that nothing writes or reads, as some exporters leave behind."""
        return self._tensor((1, SIDE, SIDE, channels), schema.TensorType.INT8, [_SCALE], 0)

    def finish(self) -> bytes:
        """The file; what nothing reads is joined into the one output."""
        while len(self.loose_ends) > 1:
            first, second = self.loose_ends[:2]
            self.concatenate(first, second)
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = [self.input], self.loose_ends
        model = schema.ModelT()
        model.version = 3
        model.subgraphs, model.buffers = [graph], self._buffers
        model.operatorCodes = []
        for builtin, _, version in _OPS.values():
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = builtin
            code.version = version
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _operator(self, name: str, inputs: list[int], channels: int, options: object) -> int:
        operator = schema.OperatorT()
        operator.opcodeIndex = list(_OPS).index(name)
        operator.builtinOptionsType, operator.builtinOptions = _OPS[name][1], options
        output = self._activation(channels)
        operator.inputs, operator.outputs = inputs, [output]
        self._operators.append(operator)
        self._read.update(inputs)
        return output

    def _activation(self, channels: int) -> int:
        index = self._tensor((1, SIDE, SIDE, channels), schema.TensorType.INT8, [_SCALE], 0)
        self.channels[index] = channels
        return index

    def _constant(self, values: np.ndarray, kind: int, scales: list[float]) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._buffers.append(buffer)
        return self._tensor(values.shape, kind, scales, len(self._buffers) - 1)

    def _tensor(self, shape: tuple[int, ...], kind: int, scales: list[float], buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = f"t{len(self._tensors)}", list(shape), kind
        tensor.buffer = buffer
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = scales, [0] * len(scales)
        self._tensors.append(tensor)
        return len(self._tensors) - 1


def random_graph(seed: int, operators: int) -> bytes:
    """A graph of about so many operators, with branches that live side by side."""
    generator = np.random.default_rng(seed)
    builder = GraphBuilder(int(generator.integers(1, 9)), seed)
    for _ in range(operators):
        known = list(builder.channels)
        source = int(generator.choice(known))
        twins = [t for t in known if t != source and builder.channels[t] == builder.channels[source]]
        kind = generator.integers(3)
        if kind == 0 and twins:
            builder.add(source, int(generator.choice(twins)))
        elif kind == 1 and len(known) > 1 and builder.channels[source] < 32:
            builder.concatenate(source, int(generator.choice([t for t in known if t != source])))
        else:
            builder.conv(source, int(generator.integers(1, 17)))
    return builder.finish()
