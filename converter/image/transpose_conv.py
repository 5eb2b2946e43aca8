"""TRANSPOSE_CONV as a convolution of the input with its pixels set apart, by the kernel turned round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converter.image import conv
from converter.image.graph import Node
from converter.image.spatial import Windows, padding_before
from converter.image.step import Step


def transpose_conv(node: Node) -> Step:
    """Operands output shape (not looked at), weights (outputs, height, width, inputs), input, bias."""
    node = replace(node, inputs=(node.input(2), node.input(1), *node.inputs[3:]))
    node.require_int8()
    weights, given, made = node.constant(1), node.input(0).shape, node.output.shape
    if len(given) != 4 or len(made) != 4 or (given[0], made[0]) != (1, 1):
        raise node.refused(f"goes from {given} to {made}")
    if weights.dtype != np.int8 or (weights.ndim, *weights.shape[::3]) != (4, made[3], given[3]):
        raise node.refused(f"has weights of {weights.dtype}, {weights.shape}")
    if node.options.fusedActivationFunction:
        # Versions of TFLM disagree whether it counts.
        raise node.refused(f"has fused activation {node.options.fusedActivationFunction}")
    kernel, stride = weights.shape[1:3], (int(node.options.strideH), int(node.options.strideW))
    if min(*kernel, *stride) < 1:
        raise node.refused(f"has a kernel of {kernel} and strides of {stride}")
    # Padding is that of the convolution which goes the other way.
    before = [
        padding_before(made[axis + 1], -(-made[axis + 1] // stride[axis]), kernel[axis], stride[axis])
        if node.options.padding == 0
        else 0
        for axis in (0, 1)
    ]
    pads = [length - 1 - pad for length, pad in zip(kernel, before, strict=True)]
    lengths = (*given[1:], *made[1:], *kernel, 1, 1, 1, 1, *pads, *stride)
    where = Windows._make(lengths)
    turned = np.ascontiguousarray(weights[:, ::-1, ::-1])
    return conv.step(node, where, turned.reshape(len(weights), -1))
