"""A model's layers as C that calls CMSIS-NN: a second set of kernels, to check the cycle tables with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from converter.image.channels import activation
from converter.image.fixed_point import Multiplier, multiplier
from converter.image.graph import Graph, Node, Tensor
from converter.image.spatial import Windows, windows

_HARNESS: Final = Path(__file__).parent / "cmsis" / "harness.c"
_LEFT_SHIFT: Final = 20
"""Of ADD's operands (tensorflow/lite/kernels/add.cc)."""


def code(graph: Graph) -> str:
    """A C file; RefusedError for an operator that is not among _CALLS."""
    made = {graph.input.index, *(node.output.index for node in graph.nodes)}
    lines = [_HARNESS.read_text(), *(_buffer(graph.tensors[index]) for index in sorted(made))]
    calls = []
    for turn, node in enumerate(graph.nodes):
        if node.name not in _CALLS:
            raise node.refused("is not among the layers that are checked")
        constants, call = _CALLS[node.name](node, turn)
        lines += constants
        calls += [f"    runtime_op({turn});", f"    {call};"]
    return "\n".join(
        [*lines, "static void infer(void) {", *calls, f"    runtime_op({len(graph.nodes)});", "}\n"]
    )


def buffer(tensor: Tensor) -> str:
    """Its symbol."""
    return f"t{tensor.index}"


def _buffer(tensor: Tensor) -> str:
    return f"_Alignas(16) int8_t {buffer(tensor)}[{tensor.size}];"


def _array(name: str, kind: str, values: NDArray[Any]) -> str:
    return f"static const {kind} {name}[] = {{{','.join(map(str, values.ravel().tolist()))}}};"


Made = tuple[list[str], str]


def _layer(node: Node, turn: int, depth: int) -> tuple[list[str], list[Multiplier]]:
    """Weights, bias and scales as arrays w, b, m, s with the turn's number."""
    weights, given = node.constant(1), node.input(0)
    scales = np.broadcast_to(np.array(node.input(1).scales), depth)
    found = [multiplier(float(given.scale * scale / node.output.scale)) for scale in scales]
    bias = node.constant(2) if len(node.inputs) > 2 else np.zeros(depth, np.int32)
    constants = [
        _array(f"w{turn}", "int8_t", weights),
        _array(f"b{turn}", "int32_t", bias),
        _array(f"m{turn}", "int32_t", np.array([each.scale for each in found])),
        _array(f"s{turn}", "int32_t", np.array([each.shift for each in found])),
    ]
    return constants, found


def _ends(node: Node) -> str:
    low, high = activation(node)
    return f"{{{low}, {high}}}"


def _spans(where: Windows) -> str:
    """Stride, padding and dilation, each width before height."""
    return (
        f"{{{where.stride_w}, {where.stride_h}}}, {{{where.pad_left}, {where.pad_top}}}, "
        f"{{{where.dilation_w}, {where.dilation_h}}}"
    )


def _dims(*lengths: int) -> str:
    return f"&(cmsis_nn_dims){{{', '.join(map(str, lengths))}}}"


def _convolution(node: Node, turn: int, *, depthwise: bool) -> Made:
    shape = node.constant(1).shape
    where = windows(node, shape[1:3])
    constants, _ = _layer(node, turn, where.out_c)
    kind = "dw_conv" if depthwise else "conv"
    multiple = f"{where.out_c // where.in_c}, " if depthwise else ""
    name = "arm_depthwise_conv_wrapper_s8" if depthwise else "arm_convolve_wrapper_s8"
    call = ", ".join(
        [
            f"{name}(&context",
            f"&(cmsis_nn_{kind}_params){{{-node.input(0).zero}, {node.output.zero}, {multiple}"
            f"{_spans(where)}, {_ends(node)}}}",
            f"&(cmsis_nn_per_channel_quant_params){{(int32_t *)m{turn}, (int32_t *)s{turn}}}",
            _dims(1, where.in_h, where.in_w, where.in_c),
            buffer(node.input(0)),
            _dims(*shape),
            f"w{turn}",
            _dims(1, 1, 1, where.out_c),
            f"b{turn}",
            _dims(1, where.out_h, where.out_w, where.out_c),
            f"{buffer(node.output)})",
        ]
    )
    return constants, call


def _dense(node: Node, turn: int) -> Made:
    outputs, values = node.constant(1).shape
    constants, found = _layer(node, turn, outputs)
    call = ", ".join(
        [
            "arm_fully_connected_s8(&context",
            f"&(cmsis_nn_fc_params){{{-node.input(0).zero}, 0, {node.output.zero}, {_ends(node)}}}",
            f"&(cmsis_nn_per_tensor_quant_params){{{found[0].scale}, {found[0].shift}}}",
            _dims(1, 1, 1, values),
            buffer(node.input(0)),
            _dims(values, 1, 1, outputs),
            f"w{turn}",
            _dims(1, 1, 1, outputs),
            f"b{turn}",
            _dims(1, 1, 1, outputs),
            f"{buffer(node.output)})",
        ]
    )
    return constants, call


def _pool(node: Node, _turn: int) -> Made:
    where = windows(node, (node.options.filterHeight, node.options.filterWidth))
    call = ", ".join(
        [
            "arm_avgpool_s8(&context",
            f"&(cmsis_nn_pool_params){{{{{where.stride_w}, {where.stride_h}}}, "
            f"{{{where.pad_left}, {where.pad_top}}}, {_ends(node)}}}",
            _dims(1, where.in_h, where.in_w, where.in_c),
            buffer(node.input(0)),
            _dims(1, where.kernel_h, where.kernel_w, 1),
            _dims(1, where.out_h, where.out_w, where.out_c),
            f"{buffer(node.output)})",
        ]
    )
    return [], call


def _add(node: Node, _turn: int) -> Made:
    pair, made = (node.input(0), node.input(1)), node.output
    twice = 2 * max(tensor.scale for tensor in pair)
    given = [(tensor, multiplier(tensor.scale / twice)) for tensor in pair]
    out = multiplier(twice / ((1 << _LEFT_SHIFT) * made.scale))
    parts = [f"{buffer(tensor)}, (operand){{{tensor.zero}, {by.scale}, {by.shift}}}" for tensor, by in given]
    ends = f"{buffer(made)}, (operand){{{made.zero}, {out.scale}, {out.shift}}}"
    low, high = activation(node)
    return [], f"add({', '.join(parts)}, {ends}, {low}, {high}, {made.size})"


def _copy(node: Node, _turn: int) -> Made:
    return [], f"memcpy({buffer(node.output)}, {buffer(node.input(0))}, {node.output.size})"


_CALLS: Final[dict[str, Callable[[Node, int], Made]]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool,
    "CONV_2D": lambda node, turn: _convolution(node, turn, depthwise=False),
    "DEPTHWISE_CONV_2D": lambda node, turn: _convolution(node, turn, depthwise=True),
    "FULLY_CONNECTED": _dense,
    "RESHAPE": _copy,
}
