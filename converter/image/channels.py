"""Per-channel constants of convolutions and dense layers: bias (zero points folded in), scale, shift."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.image.fixed_point import activation_range, multiplier
from converter.image.graph import Array, Node

FLAG_RIGHT: Final = 1
"""Every shift goes right: scales are doubled then, and shifts one less."""
FLAG_PATCH: Final = 2


class Channels(NamedTuple):
    """Of one layer."""

    table: NDArray[np.uint32]
    """(outputs, 3): bias less zero point times the weights' sum, scale, shift; as the firmware has it."""
    right: bool
    in_zero: int
    out_zero: int
    low: int
    high: int

    @property
    def flags(self) -> int:
        """For the record."""
        return FLAG_RIGHT if self.right else 0


def channels(node: Node, weights: Array, bias_at: int) -> Channels:
    """``weights`` as (outputs, values); RefusedError for forms that TFLM has not either."""
    given, made, kernel = node.input(0), node.output, node.input(1)
    if any(kernel.zeros):
        raise node.refused("has weights with a zero point")
    outputs = len(weights)
    scales = np.array(kernel.scales, np.float64)
    if len(scales) not in (1, outputs):
        raise node.refused(f"has {len(scales)} scales for {outputs} outputs")
    product = given.scale * np.broadcast_to(scales, outputs)
    if node.name == "FULLY_CONNECTED" and len(scales) == 1:
        # GetQuantizedConvolutionMultipler multiplies in float32, all others in double.
        product = product.astype(np.float32).astype(np.float64)
    found = [multiplier(float(value)) for value in product / made.scale]
    bias = _bias(node, bias_at, outputs)
    whole = weights.astype(np.int64)
    folded = bias - given.zero * whole.sum(axis=1)
    right = all(m.shift < 0 for m in found)
    stored = [(2 * m.scale, -m.shift - 1) if right else m for m in found]
    table = np.concatenate([folded[:, np.newaxis], np.array(stored, np.int64)], axis=1)
    low, high = activation(node)
    return Channels(
        table=table.astype(np.uint64).astype(np.uint32),
        right=right,
        in_zero=given.zero,
        out_zero=made.zero,
        low=low,
        high=high,
    )


def activation(node: Node) -> tuple[int, int]:
    """Least and largest output under the fused activation."""
    fused = 0 if node.options is None else node.options.fusedActivationFunction
    try:
        return activation_range(fused, node.output.scale, node.output.zero)
    except ValueError as error:
        raise node.refused(f"has {error}") from error


def _bias(node: Node, at: int, outputs: int) -> NDArray[np.int64]:
    if at >= len(node.inputs) or node.inputs[at] is None:
        return np.zeros(outputs, np.int64)
    values = node.constant(at)
    if values.dtype != np.int32 or values.size != outputs:
        raise node.refused(f"has a bias of {values.dtype}, {values.shape}")
    return values.astype(np.int64).reshape(-1)
