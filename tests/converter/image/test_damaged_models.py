"""A damaged file is never compiled to an image by way of a traceback."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from converter.image.compiler import compile_image
from tests.models.random_models import network
from wire.errors import InputError, RefusedError, WireError

_MUTANTS = 150
_TAIL_BYTES = 6000
"""Graph and tensors lie behind the weights, at the end of a file."""


def no_tables(models: list[bytes]) -> list[np.ndarray]:
    return [np.zeros(256, np.int8) for _ in models]


@pytest.mark.parametrize("seed", range(6))
def test_a_mutated_model_is_compiled_or_refused(seed: int) -> None:
    dice = Random(seed)
    sound = network(Random(seed), 12)
    compile_image(sound, no_tables)
    refused = 0
    for _ in range(_MUTANTS):
        mutant = bytearray(sound)
        for _ in range(dice.choice((1, 2, 8))):
            place = dice.randrange(max(0, len(mutant) - _TAIL_BYTES), len(mutant))
            mutant[place] = dice.choice((0, 255, mutant[place] ^ (1 << dice.randrange(8))))
        try:
            compile_image(bytes(mutant), no_tables)
        except (InputError, RefusedError, WireError):
            refused += 1
    assert refused, "the mutations are too mild"
