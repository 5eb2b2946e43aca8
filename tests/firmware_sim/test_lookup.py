"""Operators on single values: TFLM's own tables in the image, its bytes from the firmware."""

from __future__ import annotations

from random import Random

import hypothesis.strategies as st
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given

from tests.firmware_sim.bench import check
from tests.firmware_sim.operand_models import ACTIVATIONS, Made, scale_of, seeded, shape_of, zero_of
from tests.firmware_sim.oracle import Oracle

ALONE = {
    "ABS": schema.AbsOptionsT, "ELU": None, "HARD_SWISH": schema.HardSwishOptionsT,
    "LEAKY_RELU": schema.LeakyReluOptionsT, "LOGISTIC": None, "QUANTIZE": schema.QuantizeOptionsT,
    "RELU": None, "RELU6": None, "TANH": None,
}  # fmt: skip
FIXED = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
WITH_CONSTANT = {
    "ADD": schema.AddOptionsT, "DIV": schema.DivOptionsT, "MAXIMUM": schema.MaximumMinimumOptionsT,
    "MINIMUM": schema.MaximumMinimumOptionsT, "MUL": schema.MulOptionsT, "PRELU": None,
    "SQUARED_DIFFERENCE": schema.SquaredDifferenceOptionsT, "SUB": schema.SubOptionsT,
}  # fmt: skip


def alone(name: str, dice: Random) -> bytes:
    """Of any shape; usual scales, for some of TFLM's kernels end the process at others."""
    shape = shape_of(dice)
    made = Made([shape], [scale_of(dice, -2.5, -0.5)], [zero_of(dice)])
    options = ALONE[name] and ALONE[name]()
    if name == "LEAKY_RELU":
        options.alpha = dice.uniform(0, 0.9)
    scale, zero = FIXED.get(name, (scale_of(dice, -2.5, -0.5), zero_of(dice)))
    return made.model(name, [made.operands[0]], made.wire(shape, scale, zero), options)


def with_constant(name: str, dice: Random) -> bytes:
    """A single constant, before or behind the tensor."""
    shape = shape_of(dice)
    made = Made([shape], [scale_of(dice, -2.5, -0.5)], [zero_of(dice)])
    value = np.array(dice.choice((1, 40, -128, 127)), np.int8).reshape((1,) * dice.randint(0, 2))
    constant = made.net.constant(value, [scale_of(dice, -2.5, -0.5)], [dice.randint(-20, 0)])
    operands = [made.operands[0], constant]
    options = WITH_CONSTANT[name] and WITH_CONSTANT[name]()
    if hasattr(options, "fusedActivationFunction"):
        options.fusedActivationFunction = dice.choice(ACTIVATIONS)
    if name not in ("PRELU", "DIV") and dice.random() < 0.5:
        operands.reverse()
    return made.model(name, operands, made.wire(shape, scale_of(dice, -2, 0), zero_of(dice)), options)


@given(st.sampled_from(sorted(ALONE)), seeded())
def test_operators_on_single_values_give_the_bytes_of_tflm(oracle: Oracle, name: str, dice: Random) -> None:
    assert check(alone(name, dice), oracle).ops[-1] == name


@given(st.sampled_from(sorted(WITH_CONSTANT)), seeded())
def test_operators_with_one_constant_give_the_bytes_of_tflm(oracle: Oracle, name: str, dice: Random) -> None:
    check(with_constant(name, dice), oracle)
