"""What can be wrong with a model, put into a right one: each with the code of its finding."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter.flatbuffer import Graph, parse
from converter.planning.buffers import buffers_of
from converter.planning.offline import with_plan
from converter.repair import pack

Type = schema.TensorType
_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "SUB", "MUL", "QUANTIZE", "MEAN")
"""They rescale; what they read and write may have any scale."""
Spoil = Callable[[Any, Graph, Random], object]


class Defect(NamedTuple):
    """One that a random model may be given."""

    code: str
    spoil: Spoil
    """Changes the ``ModelT``; IndexError from a choice of nothing: this model cannot have it."""


def spoilt(model: bytes, defect: Defect, dice: Random) -> bytes | None:
    """The model with the defect; None when it has no place for it."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    graph = parse(model).graphs[0]
    try:
        made = defect.spoil(tree, graph, dice)
    except IndexError:
        return None
    return made if isinstance(made, bytes) else pack(tree)


def with_ends(model: bytes, kind: str) -> bytes:
    """An int8 model with QUANTIZE and DEQUANTIZE around it, as converters leave it; ``kind`` outside."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    graph, known = tree.subgraphs[0], parse(model).graphs[0]
    names = ("QUANTIZE", "DEQUANTIZE") if kind == "FLOAT32" else ("QUANTIZE", "QUANTIZE")
    ends = known.tensors[known.inputs[0]], known.tensors[known.outputs[0]]
    outside = []
    for inner in ends:
        made = schema.TensorT()
        made.name, made.shape, made.type = f"{kind} outside", list(inner.shape), getattr(Type, kind)
        if kind == "UINT8":
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = [inner.scales[0]]
            made.quantization.zeroPoint = [inner.zero_points[0] + 128]
        outside.append(len(graph.tensors))
        graph.tensors = [*graph.tensors, made]
    first = _border(tree, names[0], outside[0], ends[0].index)
    last = _border(tree, names[1], ends[1].index, outside[1])
    graph.operators = [first, *graph.operators, last]
    graph.inputs, graph.outputs = [outside[0]], [outside[1]]
    tree.signatureDefs = [schema.SignatureDefT(signatureKey=b"serving_default", subgraphIndex=0)]
    tree.signatureDefs[0].inputs = [schema.TensorMapT(name=b"x", tensorIndex=outside[0])]
    tree.signatureDefs[0].outputs = [schema.TensorMapT(name=b"y", tensorIndex=outside[1])]
    return pack(tree)


def _border(tree: Any, name: str, source: int, target: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    code.version = 2
    tree.operatorCodes = [*tree.operatorCodes, code]
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = len(tree.operatorCodes) - 1, [source], [target]
    return made


def _computed(graph: Graph, *, inner: bool) -> list[int]:
    found = [index for op in graph.operators for index in op.outputs]
    return [index for index in found if (index not in graph.outputs) == inner]


def _retyped(kind: int, *, inner: bool) -> Spoil:
    def spoil(tree: Any, graph: Graph, dice: Random) -> None:
        tensor = tree.subgraphs[0].tensors[dice.choice(_computed(graph, inner=inner))]
        tensor.type = kind
        if kind == Type.UINT8:
            tensor.quantization.zeroPoint = [tensor.quantization.zeroPoint[0] + 128]

    return spoil


def _unscaled(*, inner: bool) -> Spoil:
    def spoil(tree: Any, graph: Graph, dice: Random) -> None:
        tree.subgraphs[0].tensors[dice.choice(_computed(graph, inner=inner))].quantization = None

    return spoil


def _bare_constant(tree: Any, graph: Graph, dice: Random) -> None:
    tree.subgraphs[0].tensors[dice.choice(_weights(graph))].quantization = None


def _weights(graph: Graph, *, several: bool = False, names: tuple[str, ...] = ()) -> list[int]:
    constants = {
        index
        for op in graph.operators
        if not names or op.name in names
        for index in op.inputs
        if index >= 0 and graph.tensors[index].constant and graph.tensors[index].dtype == "INT8"
    }
    return sorted(index for index in constants if not several or graph.tensors[index].channels > 1)


def _open(axis: int) -> Spoil:
    def spoil(tree: Any, graph: Graph, dice: Random) -> None:
        place = dice.choice([*graph.inputs, *_computed(graph, inner=True)])
        shape = list(graph.tensors[place].shape)
        shape[min(axis, len(shape) - 1)] = -1
        tree.subgraphs[0].tensors[place].shapeSignature = shape

    return spoil


def _renamed(name: str, custom: str | None = None) -> Spoil:
    def spoil(tree: Any, graph: Graph, dice: Random) -> None:
        code = dice.choice(tree.operatorCodes)
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        code.customCode = custom

    return spoil


def _future(tree: Any, graph: Graph, dice: Random) -> None:
    dice.choice(tree.operatorCodes).version = 99


def _second_output(tree: Any, graph: Graph, dice: Random) -> None:
    tree.subgraphs[0].outputs = [*graph.outputs, dice.choice(_computed(graph, inner=True))]


def _batch_of_two(tree: Any, graph: Graph, dice: Random) -> None:
    taken = graph.tensors[graph.inputs[0]]
    tree.subgraphs[0].tensors[taken.index].shape = [2, *taken.shape[1:]]


def _outside(tree: Any, graph: Graph, dice: Random) -> bytes:
    """One constant behind the flatbuffer, as ai-edge-quantizer stores large ones."""
    buffer = tree.buffers[dice.choice([i for i, one in enumerate(tree.buffers) if one.data is not None])]
    values = np.asarray(buffer.data, np.uint8).tobytes()
    buffer.data, buffer.size, buffer.offset = None, len(values), 2
    buffer.offset = len(_packed(tree))
    return _packed(tree) + values


def _packed(tree: Any) -> bytes:
    builder = flatbuffers.Builder(4096)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _stacked_plan(tree: Any, graph: Graph, dice: Random) -> bytes:
    """All tensors at 0."""
    model = pack(tree)
    return with_plan(model, {buffer.tensor: 0 for buffer in buffers_of(parse(model))})


def _short_plan(tree: Any, graph: Graph, dice: Random) -> None:
    tree.buffers.append(schema.BufferT())
    tree.buffers[-1].data = np.array([1, 1, 0], np.int32).view(np.uint8)
    tree.metadata = [schema.MetadataT(name=b"OfflineMemoryAllocation", buffer=len(tree.buffers) - 1)]


def _axis(tree: Any, graph: Graph, dice: Random) -> None:
    single = [t.index for t in graph.tensors if t.channels == 1 and t.shape]
    tree.subgraphs[0].tensors[dice.choice(single)].quantization.quantizedDimension = dice.choice((-1, 4, 99))


def _scales_short(tree: Any, graph: Graph, dice: Random) -> None:
    scales = tree.subgraphs[0].tensors[dice.choice(_weights(graph, several=True))].quantization
    scales.scale, scales.zeroPoint = list(scales.scale) * 2, list(scales.zeroPoint) * 2


def _scale_of(value: float) -> Spoil:
    def spoil(tree: Any, graph: Graph, dice: Random) -> None:
        weights = dice.choice(_weights(graph))
        scales = tree.subgraphs[0].tensors[weights].quantization
        scales.scale = [value] * graph.tensors[weights].channels

    return spoil


def _zero_outside(tree: Any, graph: Graph, dice: Random) -> None:
    """Of a layer's output, whose zero point nothing else hangs on."""
    free = [
        op.outputs[0] for op in graph.operators if op.name in ("CONV_2D", "FULLY_CONNECTED", "ADD", "MUL")
    ]
    tree.subgraphs[0].tensors[dice.choice(_alone(graph, free))].quantization.zeroPoint = [300]


def _alone(graph: Graph, outputs: list[int]) -> list[int]:
    """Those that no operator reads which takes over their scale."""
    return [
        index for index in outputs if all(op.name in _LAYERS for op in graph.operators if index in op.inputs)
    ]


def _flat_softmax(tree: Any, graph: Graph, dice: Random) -> None:
    """Of an input, or what a layer gives, which nothing else reads."""
    given = {index for op in graph.operators if op.name in _LAYERS for index in op.outputs}
    free = [op.inputs[0] for op in graph.operators if op.name == "SOFTMAX"]
    free = [index for index in free if index in (*given, *graph.inputs)]
    taken = dice.choice([index for index in free if _only(graph, index, "SOFTMAX")])
    tree.subgraphs[0].tensors[taken].quantization.scale = [2.0**-27]


def _only(graph: Graph, index: int, name: str) -> bool:
    return all(op.name == name for op in graph.operators if index in op.inputs)


def _weights_zero(tree: Any, graph: Graph, dice: Random) -> None:
    place = dice.choice(_weights(graph, names=("CONV_2D", "DEPTHWISE_CONV_2D")))
    tree.subgraphs[0].tensors[place].quantization.zeroPoint = [3] * graph.tensors[place].channels


def _rescaled(*names: str) -> Spoil:
    def spoil(tree: Any, graph: Graph, dice: Random) -> None:
        free = [op.outputs[0] for op in graph.operators if op.name in names]
        scales = tree.subgraphs[0].tensors[dice.choice(_alone(graph, free))].quantization
        scales.scale = [scales.scale[0] * 2]

    return spoil


DEFECTS: dict[str, Defect] = {
    "no scale": Defect("no_quantisation", _unscaled(inner=True)),
    "no scale at the end": Defect("no_quantisation", _unscaled(inner=False)),
    "constant without scale": Defect("no_quantisation", _bare_constant),
    "uint8 inside": Defect("uint8_model", _retyped(Type.UINT8, inner=True)),
    "uint8 at the end": Defect("uint8_model", _retyped(Type.UINT8, inner=False)),
    "int16 inside": Defect("int16_model", _retyped(Type.INT16, inner=True)),
    "int32 at the end": Defect("not_int8", _retyped(Type.INT32, inner=False)),
    "float inside": Defect("float_inside|hybrid_model", _retyped(Type.FLOAT32, inner=True)),
    "float at the end": Defect("unquantised_io", _retyped(Type.FLOAT32, inner=False)),
    "open axis": Defect("dynamic_shape", _open(1)),
    "open batch": Defect("dynamic_batch", _open(0)),
    "operator that TFLM lacks": Defect("unsupported_op", _renamed("TILE")),
    "custom operator": Defect("custom_op", _renamed("CUSTOM", "Mine")),
    "future version": Defect("op_version", _future),
    "second output": Defect("many_tensors", _second_output),
    "batch of two": Defect("bad_shape", _batch_of_two),
    "external buffer": Defect("external_buffers", _outside),
    "overlapping plan": Defect("bad_plan", _stacked_plan),
    "short plan": Defect("damaged_plan", _short_plan),
    "axis out of range": Defect("quantised_axis", _axis),
    "scales for other channels": Defect("channel_scales", _scales_short),
    "negative scale": Defect("bad_scale", _scale_of(-0.5)),
    "nan scale": Defect("bad_scale", _scale_of(float("nan"))),
    "zero point outside int8": Defect("bad_zero_point", _zero_outside),
    "zero point of weights": Defect("weights_zero_point", _weights_zero),
    "softmax of next to nothing": Defect("flat_softmax", _flat_softmax),
    "rescaling RELU6 or TANH": Defect("fixed_scale", _rescaled("RELU6", "TANH")),
    "rescaling move": Defect("scale_jump", _rescaled("RESHAPE", "TRANSPOSE", "STRIDED_SLICE")),
}
