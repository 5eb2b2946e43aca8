"""Models that are no plain int8 network with one input and one output, each as its exporters write it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter.repair import pack
from tests.models.elementwise import binary
from tests.models.layers import fully_connected, svdf
from tests.models.network import Network, Type
from tests.models.random_models import one_operator


def all_of(kind: str) -> bytes:
    """A sum of a tensor with itself in another type."""
    net = Network()
    x = net.input((1, 4), 0.1, 0)
    (y,) = binary("ADD", schema.AddOptionsT)(net, _Partner(), x)
    tree = net.tree(y)
    for tensor in tree.subgraphs[0].tensors:
        tensor.type = getattr(Type, kind)
        if kind == "FLOAT32":
            tensor.quantization = None
        elif kind == "UINT8":
            tensor.quantization.zeroPoint = [128]
        else:
            tensor.quantization.zeroPoint = [0]
    return pack(tree)


def dynamic() -> bytes:
    """The length of the input is left open."""
    net = Network()
    x = net.input((1, 7, 3), 0.1, 0)
    (y,) = binary("ADD", schema.AddOptionsT)(net, _Partner(), x)
    tree = net.tree(y)
    for wire in (x, y):
        tree.subgraphs[0].tensors[wire.index].shapeSignature = [1, -1, 3]
    return pack(tree)


def two_by_two() -> bytes:
    """Two inputs, their sum and their product."""
    net = Network()
    one, other = net.input((1, 6), 0.1, 3), net.input((1, 6), 0.2, -5)
    total, product = net.activation((1, 6), 0.3, 0), net.activation((1, 6), 0.4, 0)
    net.operator("ADD", [one, other], [total], schema.AddOptionsT(), version=2)
    net.operator("MUL", [one, other], [product], schema.MulOptionsT(), version=2)
    return net.finish(total, product)


def stateful() -> bytes:
    """A dense layer, then one that remembers."""
    net, dice = Network(), Random(3)
    (hidden,) = fully_connected(net, dice, net.input((1, 10), 0.1, 0))
    return net.finish(*svdf(net, dice, hidden))


def branch() -> bytes:
    """IF with a constant condition: the input plus itself, or minus itself."""
    net = Network()
    x, y = net.input((1, 4), 0.1, 0), net.activation((1, 4), 0.2, 0)
    condition = net.constant(np.array([True]))
    options = schema.IfOptionsT()
    options.thenSubgraphIndex, options.elseSubgraphIndex = 1, 2
    for name in ("ADD", "SUB"):
        net.operator(name, [], [], version=2)
    net.operator("IF", [condition, x], [y], options)
    tree = net.tree(y)
    main = tree.subgraphs[0]
    bodies, main.operators = main.operators[:2], main.operators[2:]
    for body, made in zip(bodies, (schema.AddOptionsT(), schema.SubOptionsT()), strict=True):
        graph = schema.SubGraphT()
        graph.tensors = [_int8("x", 0.1), _int8("y", 0.2)]
        graph.inputs, graph.outputs, graph.operators = [0], [1], [body]
        body.inputs, body.outputs = [0, 0], [1]
        body.builtinOptionsType = getattr(schema.BuiltinOptions, type(made).__name__.removesuffix("T"))
        body.builtinOptions = made
        tree.subgraphs.append(graph)
    return pack(tree)


def custom(name: str) -> bytes:
    """A custom operator that gives four values for one, as TFLM's CIRCULAR_BUFFER does."""
    net = Network()
    x, y = net.input((1, 1, 1, 3), 0.1, 0), net.activation((1, 4, 1, 3), 0.1, 0)
    net.operator("CUSTOM", [x], [y])
    tree = net.tree(y)
    tree.operatorCodes[0].customCode = name
    return pack(tree)


def hello() -> bytes:
    """As small as TFLM's first example: one number, two layers of 16, one number."""
    net = Network()
    y = net.input((1, 1), 0.02, -128)
    for units in (16, 16, 1):
        weights = np.random.default_rng(units).integers(-127, 128, (units, y.shape[1]), np.int8)
        bias = net.constant(np.zeros(units, np.int32), [float(np.float32(y.scale) * np.float32(0.01))])
        z = net.activation((1, units), 0.05, 0)
        options = schema.FullyConnectedOptionsT()
        net.operator("FULLY_CONNECTED", [y, net.constant(weights, [0.01]), bias], [z], options, version=4)
        y = z
    return net.finish(y)


class _Partner(Random):
    """Chooses the tensor itself as the second operand."""

    def random(self) -> float:
        return 0.9


def _int8(name: str, scale: float) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.type = name, [1, 4], Type.INT8
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale, made.quantization.zeroPoint = [scale], [0]
    return made


#: How to make it, codes of its findings, and whether TFLM runs it.
ODD: dict[str, tuple[Callable[[], bytes], set[str], bool]] = {
    "float": (lambda: all_of("FLOAT32"), {"float_model"}, True),
    "uint8": (lambda: all_of("UINT8"), {"uint8_model", "tflm_refuses"}, False),
    "int16": (lambda: all_of("INT16"), {"int16_model"}, True),
    "dynamic shape": (dynamic, {"dynamic_shape"}, True),
    "two inputs and outputs": (two_by_two, {"many_tensors"}, True),
    "state": (stateful, {"stateful"}, True),
    "control flow": (branch, {"control_flow", "many_graphs"}, True),
    "operator of TFLM alone": (lambda: custom("CIRCULAR_BUFFER"), {"custom_op"}, True),
    "operator of nobody": (lambda: custom("Mine"), {"custom_op", "tflm_refuses"}, False),
    "one operator": (lambda: one_operator("TANH", Random(1)), set(), True),
    "hello": (hello, set(), True),
}
