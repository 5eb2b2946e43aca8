"""Operators that move values: every form that TFLM runs gives its bytes."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given

from tests.firmware_sim.bench import check
from tests.firmware_sim.movement_models import MODELS
from tests.firmware_sim.operand_models import seeded
from tests.firmware_sim.oracle import Oracle


@pytest.mark.parametrize("name", MODELS)
@given(seeded())
def test_moving_operators_give_the_bytes_of_tflm(oracle: Oracle, name: str, dice: Random) -> None:
    check(MODELS[name](dice), oracle, 2)
