"""A model on an emulated board beside TFLM's arena and what others published; compiler flags side by side."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from converter import probe
from converter.arena import ArenaReport
from converter.image.graph import read
from firmware_sim import execution, published
from firmware_sim.execution import Execution, Int8
from firmware_sim.published import Published
from wire.errors import RefusedError

BOARDS: Final = ("rpi-pico", "nano33ble", "nucleo-l4r5zi", "nucleo-u575zi", "nucleo-h7a3zi")
FLAG_BOARDS: Final = ("rpi-pico", "nucleo-l4r5zi", "nucleo-u575zi")
"""A board of each core whose flags are compared."""
FLAGS: Final = ("-Os", "-O2", "-O3")
_SEED: Final = 1


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one board."""

    model: str
    board: str
    execution: Execution | None
    refused: str = ""
    """Why it does not run there."""
    tflm_arena: ArenaReport
    ram_to_tflm_arena: float | None
    """Arena, stack and variables over the smallest arena that TFLM runs in, without TFLM's stack."""
    published: tuple[Published, ...]


class Flagged(msgspec.Struct, frozen=True, kw_only=True):
    """One model built with one flag for one board."""

    model: str
    board: str
    core: str
    flag: str
    code_bytes: int
    instructions: int
    cycles_estimated: int
    stack_bytes: int


def compare(name: str, model: bytes, boards: tuple[str, ...] = BOARDS) -> list[Comparison]:
    """On each board; a board that the model does not fit says so. RefusedError when TFLM does not run it."""
    arena = probe.probe(model)
    return [_compared(name, model, board, arena) for board in boards]


def flags(name: str, model: bytes, boards: tuple[str, ...] = FLAG_BOARDS) -> list[Flagged]:
    """Every flag on every board."""
    return [_flagged(name, model, board, flag) for board in boards for flag in FLAGS]


def inputs_for(model: bytes) -> Int8:
    """Two inputs of uniformly drawn bytes, always the same."""
    tensor = read(model).input
    dice = np.random.default_rng(_SEED)
    return dice.integers(-128, 128, (2, *tensor.shape[1:])).astype(np.int8)


def _compared(name: str, model: bytes, board: str, arena: ArenaReport) -> Comparison:
    try:
        ran = execution.run(model, board, inputs_for(model)).execution
    except RefusedError as error:
        return Comparison(
            model=name,
            board=board,
            execution=None,
            refused=error.message,
            tflm_arena=arena,
            ram_to_tflm_arena=None,
            published=(),
        )
    return Comparison(
        model=name,
        board=board,
        execution=ran,
        tflm_arena=arena,
        ram_to_tflm_arena=round(ran.ram_bytes / arena.confirmed_min, 3),
        published=published.of(model, ran.core),
    )


def _flagged(name: str, model: bytes, board: str, flag: str) -> Flagged:
    ran = execution.run(model, board, inputs_for(model), optimisation=flag).execution
    return Flagged(
        model=name,
        board=board,
        core=ran.core,
        flag=flag,
        code_bytes=ran.runtime_flash_bytes,
        instructions=ran.instructions[0],
        cycles_estimated=ran.cycles_estimated[0],
        stack_bytes=ran.stack_bytes,
    )
