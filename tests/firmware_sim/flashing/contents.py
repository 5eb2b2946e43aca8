"""What the tests of flashing put into files: a real runtime with a real model, built once a board."""

from functools import cache

import boards
from firmware_sim.flashing.content import model_only, whole
from tests.firmware_sim.smp.wrapping import OLD, image


@cache
def content(board: str, alone: bool = False):
    known = boards.load(board)
    return model_only(known, image(OLD)) if alone else whole(known, image(OLD))[0]


def memory(content) -> dict[int, int]:
    """Each byte by its address."""
    return {region.address + at: value for region in content for at, value in enumerate(region.data)}
