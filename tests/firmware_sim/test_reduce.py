"""MEAN, SUM, REDUCE_MAX: over any axes that TFLM takes, its bytes."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given

from tests.firmware_sim.bench import check
from tests.firmware_sim.operand_models import Made, scale_of, seeded, shape_of, zero_of
from tests.firmware_sim.oracle import Oracle

NAMES = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")
_MOST_AXES = 2
"""``kMaxNumberOfReducedAxis``."""


def reduction(name: str, dice: Random) -> bytes:
    """Axes in any order and from either end, kept or not; MEAN of equal scales in a fifth of all cases."""
    shape = shape_of(dice, (1, 5), 6)
    axes = dice.sample(range(len(shape)), dice.randint(1, min(len(shape), _MOST_AXES)))
    scale, zero = scale_of(dice), zero_of(dice)
    made = Made([shape], [scale], [zero])
    options = schema.ReducerOptionsT()
    options.keepDims = dice.random() < 0.5
    kept = [1 if axis in axes else length for axis, length in enumerate(shape)]
    out_shape = tuple(length for axis, length in enumerate(kept) if options.keepDims or axis not in axes)
    if name in ("MEAN", "SUM") and dice.random() < 0.8:
        scale, zero = scale * 10 ** dice.uniform(-1, 2), zero_of(dice)
    out = made.wire(out_shape, scale, zero)
    told = [dice.choice((axis, axis - len(shape))) for axis in axes]
    operands = [made.operands[0], made.net.constant(np.array(told, np.int32))]
    return made.model(name, operands, out, options)


@pytest.mark.parametrize("name", NAMES)
@given(seeded())
def test_reductions_give_the_bytes_of_tflm(oracle: Oracle, name: str, dice: Random) -> None:
    check(reduction(name, dice), oracle)
