"""UNIDIRECTIONAL_SEQUENCE_LSTM of int8 with an int16 cell state, as Keras' LSTM converts."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from converter.image.fixed_point import multiplier
from converter.image.graph import Array, Node, Tensor
from converter.image.step import Places, Step

KIND: Final = 6
_GATES: Final = 4
"""Input, forget, cell, output: in this order among the operands."""
_GIVEN, _RECURRENT, _BIAS, _HIDDEN, _CELL = 1, 5, 12, 18, 19
_ABSENT: Final = {"peepholes": range(9, 12), "a projection": range(16, 18), "layer norms": range(20, 24)}
_TANH: Final = 4
"""ActivationFunctionType."""
_GATE_SCALE: Final = 2.0**-12
_UNIT_SCALE: Final = 2.0**-15
"""Of what comes out of sigmoid and tanh."""
_NO_CLIP: Final = 2**15
_TABLE_STEP: Final = 24


def lstm(node: Node) -> Step:
    """Input (batch, steps, values), or time first; lstm_eval_common.cc."""
    node.require_int8()
    _check(node)
    given, made, hidden, cell = node.input(0), node.output, node.input(_HIDDEN), node.input(_CELL)
    batch, steps = given.shape[:2][:: -1 if node.options.timeMajor else 1]
    units = made.shape[2]

    def words(places: Places) -> list[int]:
        return [
            *(places.tensor(tensor.index) for tensor in (given, made, hidden, cell)),
            batch,
            steps,
            given.shape[2],
            units,
            *((1, batch) if node.options.timeMajor else (steps, 1)),
            places.constant(_sigmoid()),
            _clip(node),
            *_tanh_scale(cell),
            *multiplier(_UNIT_SCALE * cell.scale / cell.scale),
            *multiplier(_UNIT_SCALE * _UNIT_SCALE / cell.scale),
            *multiplier(_UNIT_SCALE * _UNIT_SCALE / hidden.scale),
            hidden.zero,
            *(word for gate in range(_GATES) for word in _matrix(places, node, given, _GIVEN + gate, gate)),
            *(word for gate in range(_GATES) for word in _matrix(places, node, hidden, _RECURRENT + gate)),
        ]

    reads = (given.index, hidden.index, cell.index)
    return Step(KIND, node.name, reads, (made.index,), words)


def _check(node: Node) -> None:
    """What LstmTensors and ValidateTensorSize of TFLM check, and that the cell's scale is a power of two."""
    for what, operands in _ABSENT.items():
        if any(place < len(node.inputs) and node.inputs[place] is not None for place in operands):
            raise node.refused(f"has {what}")
    if node.options.fusedActivationFunction != _TANH:
        raise node.refused(f"has fused activation {node.options.fusedActivationFunction}")
    given, made, hidden, cell = node.input(0), node.output, node.input(_HIDDEN), node.input(_CELL)
    kinds = (hidden.dtype, cell.dtype, hidden.variable, cell.variable)
    if kinds != ("INT8", "INT16", True, True):
        raise node.refused(f"keeps {hidden.dtype} and {cell.dtype}")
    if len(given.shape) != 3 or made.shape[:2] != given.shape[:2] or len(made.shape) != 3:
        raise node.refused(f"goes from {given.shape} to {made.shape}")
    units = made.shape[2]
    held = given.shape[1 if node.options.timeMajor else 0] * units
    if (hidden.size, cell.size) != (held, held) or hidden.shape[-1] != units:
        raise node.refused(f"keeps {hidden.shape} and {cell.shape}")
    if math.frexp(cell.scale)[0] != 0.5:
        raise node.refused(f"has a cell scale of {cell.scale:g}, which is no power of two")
    for gate in range(_GATES):
        _check_gate(node, gate, units, given.shape[2])


def _check_gate(node: Node, gate: int, units: int, inputs: int) -> None:
    for place, shape in ((_GIVEN + gate, (units, inputs)), (_RECURRENT + gate, (units, units))):
        weights = node.constant(place)
        if weights.dtype != np.int8 or weights.shape != shape or node.input(place).zero:
            raise node.refused(f"has weights of {weights.dtype}, {weights.shape}")
    bias = node.constant(_BIAS + gate)
    if bias.dtype != np.int32 or bias.shape != (units,):
        raise node.refused(f"has a bias of {bias.dtype}, {bias.shape}")


def _matrix(places: Places, node: Node, given: Tensor, place: int, gate: int | None = None) -> list[int]:
    """``lstm_matrix``; the bias goes with the input's matrix."""
    weights = node.constant(place)
    bias = np.zeros(len(weights), np.int64) if gate is None else node.constant(_BIAS + gate)
    start = bias - given.zero * weights.astype(np.int64).sum(axis=1)
    # GetQuantizedConvolutionMultipler multiplies in float32.
    product = float(np.float32(given.scale) * np.float32(node.input(place).scale))
    return [
        places.constant(weights),
        places.constant(start.astype(np.int32)),
        *multiplier(product / _GATE_SCALE),
    ]


def _clip(node: Node) -> int:
    clip = float(node.options.cellClip)
    if clip < 0:
        raise node.refused(f"has a cell clip of {clip:g}")
    return int(min(clip / node.input(_CELL).scale, 32767.0)) if clip > 0 else _NO_CLIP


def _tanh_scale(cell: Tensor) -> tuple[int, int]:
    """Factor and shift to the right of the cell state: three quarters of it, in the table's steps."""
    shift = math.frexp(cell.scale)[1] - 1 + 15 - 3
    return (3 << shift, 0) if shift >= 0 else (3, -shift)


def _sigmoid() -> Array:
    """sigmoid(i / 24) in 16 bits, as TFLM's sigmoid_table_uint16 has it.

    Its entries lie off the curve by half the most that a chord does (second derivative / 8 by the step
    squared), so that interpolation errs as far to either side. The last is what lies beyond the table.
    """
    values = 1 / (1 + np.exp(-np.arange(256) / _TABLE_STEP))
    bend = values * (1 - values) * (1 - 2 * values)
    scaled = 65536 * (values - bend / (16 * _TABLE_STEP**2))
    scaled[-1] = 65535
    return np.floor(scaled + 0.5).astype(np.uint16)
