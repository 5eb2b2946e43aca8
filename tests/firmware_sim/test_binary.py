"""ADD, SUB, MUL, MAXIMUM, MINIMUM: every form that TFLM runs gives its bytes."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings

from tests.firmware_sim.bench import TWO, assert_same, check
from tests.firmware_sim.operand_models import ACTIVATIONS, Made, repeated, scale_of, seeded, shape_of, zero_of
from tests.firmware_sim.oracle import Oracle

OPTIONS = {
    "ADD": schema.AddOptionsT, "SUB": schema.SubOptionsT, "MUL": schema.MulOptionsT,
    "MAXIMUM": schema.MaximumMinimumOptionsT, "MINIMUM": schema.MaximumMinimumOptionsT,
}  # fmt: skip


def binary(name: str, dice: Random) -> bytes:
    """Operands computed or constant, of one shape or broadcast, or one tensor twice."""
    shape = shape_of(dice)
    shapes = [repeated(dice, shape), shape]
    dice.shuffle(shapes)
    scales = [scale_of(dice)] * 2 if dice.random() < 0.2 else [scale_of(dice), scale_of(dice)]
    zeros = [zero_of(dice), zero_of(dice)]
    constant = dice.choice((None, None, 0, 1))
    computed = [place for place in (0, 1) if place != constant]
    made = Made(*([values[place] for place in computed] for values in (shapes, scales, zeros)))
    operands: list = list(made.operands)
    if constant is not None:
        values = np.random.default_rng(dice.randint(0, 999)).integers(-128, 128, shapes[constant], np.int8)
        operands.insert(constant, made.net.constant(values, [scales[constant]], [zeros[constant]]))
    elif dice.random() < 0.1:
        operands = [operands[shapes.index(shape)]] * 2
    options = OPTIONS[name]()
    if name in ("ADD", "SUB", "MUL"):
        options.fusedActivationFunction = dice.choice(ACTIVATIONS)
    out = made.wire(shape, _output_scale(dice, name, scales), zero_of(dice))
    return made.model(name, operands, out, options)


def every_pair(name: str, dice: Random) -> bytes:
    """A column and a row: all pairs of values, if the input has all values twice."""
    scales, zeros = [scale_of(dice), scale_of(dice)], [zero_of(dice), zero_of(dice)]
    made = Made([(256, 1), (1, 256)], scales, zeros)
    out = made.wire((256, 256), _output_scale(dice, name, scales), zero_of(dice))
    return made.model(name, list(made.operands), out, OPTIONS[name]())


def _output_scale(dice: Random, name: str, scales: list[float]) -> float:
    wide = scales[0] * scales[1] * 128 if name == "MUL" else max(scales)
    kind = dice.random()
    if kind < 1 / 3:
        return wide * 2.0 ** dice.randint(-2, 3)
    return wide * 10 ** (dice.uniform(-0.5, 0.5) if kind < 2 / 3 else dice.uniform(-3, 8))


@pytest.mark.parametrize("name", OPTIONS)
@given(seeded())
def test_binary_operators_give_the_bytes_of_tflm(oracle: Oracle, name: str, dice: Random) -> None:
    check(binary(name, dice), oracle)


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
@settings(max_examples=15)
@given(seeded())
def test_every_pair_of_values_gives_the_byte_of_tflm(oracle: Oracle, name: str, dice: Random) -> None:
    values = np.arange(-128, 128).astype(np.int8)
    assert_same(every_pair(name, dice), [np.tile(values, 2)], oracle, TWO)
