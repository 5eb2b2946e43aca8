"""The firmware against tflite-micro, one model after the other on machines that are booted once.

TFLM stays in one child process. A model that ends it is a failure of the test, not of the session.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import NamedTuple

import numpy as np

from boards import load
from converter.image.compiler import Image, compile_image
from converter.image.graph import Tensor, read
from converter.image.lookup import INPUTS
from firmware_sim.cores import core_of
from firmware_sim.elf import read_elf
from firmware_sim.layout import layout_of
from firmware_sim.machine import HardFaultError, Machine
from firmware_sim.toolchain import firmware
from wire.errors import RefusedError
from wire.states import Reason

BOARDS = ("rpi-pico", "nucleo-l4r5zi")
"""A Cortex-M0+ and a Cortex-M4: portable C, and DSP instructions."""
_ARENA_BYTES = 4 * 1024 * 1024


class Case(NamedTuple):
    """A model and what TFLM makes of some inputs."""

    image: Image
    inputs: list[bytes]
    outputs: list[bytes]


def check(model: bytes, inputs: int | list[np.ndarray] = 3, boards: Sequence[str] = BOARDS) -> Image:
    """The image, after its outputs were those of TFLM on every board for inputs, or so many random ones."""
    case = make_case(model, inputs)
    for board in boards:
        for number, (given, wanted) in enumerate(zip(case.inputs, case.outputs, strict=True)):
            if number == 0:
                bind(board, case.image)
            made = invoke(board, case.image, given)
            assert made == wanted, difference(board, case.image, made, wanted)
    return case.image


def make_case(model: bytes, inputs: int | list[np.ndarray]) -> Case:
    """Compiled, and executed by TFLM."""
    given = _inputs(read(model).input, inputs) if isinstance(inputs, int) else inputs
    wanted = tflm(model, given)
    return Case(
        compile_image(model, tables), [one.tobytes() for one in given], [one.tobytes() for one in wanted]
    )


def bind(board: str, image: Image) -> None:
    """Into the first slot, as an update would."""
    machine = _machine(board)
    machine.write(machine.layout.slot_origin, image.data)
    machine.bind(machine.layout.slot_origin, len(image.data))


def invoke(board: str, image: Image, given: bytes) -> bytes:
    """One inference by the image that is bound; memory that it does not own must stay as it was."""
    machine, header = _machine(board), image.header
    arena = machine.elf.symbols["arena_start"]
    machine.write(arena, b"\x5a" * header.arena_bytes + _GUARD)
    machine.write(arena + header.input_at, given)
    try:
        machine.invoke()
    except HardFaultError:
        _machine.cache_clear()
        raise
    assert machine.read(arena + header.arena_bytes, len(_GUARD)) == _GUARD, "wrote behind the arena"
    return machine.read(arena + header.output_at, header.output_bytes)


_GUARD = bytes(range(64))


def difference(board: str, image: Image, made: bytes, wanted: bytes) -> str:
    """For people."""
    got, want = np.frombuffer(made, np.int8), np.frombuffer(wanted, np.int8)
    wrong = np.flatnonzero(got != want)
    first = f"first at {wrong[0]}: {got[wrong[0]]}, not {want[wrong[0]]}"
    return f"{image.ops} on {board}: {len(wrong)} of {len(want)} differ, {first}"


@cache
def _machine(board: str) -> Machine:
    found = load(board)
    core, layout = core_of(found.target), layout_of(found)
    symbols = {**layout.symbols(), "ARENA_BYTES": layout.model_ram_bytes}
    return Machine(core, layout, read_elf(firmware(core.compiler_cpu, symbols, b"")))


def tflm(model: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """TFLM's outputs; RefusedError in its words."""
    try:
        found = _pool().submit(_tflm, model, inputs).result(60)
    except BrokenProcessPool:
        _pool.cache_clear()
        raise AssertionError("TFLM does not survive this model") from None
    if isinstance(found, str):
        raise RefusedError(Reason.RUNTIME_REFUSED, found, "")
    return found


def tables(models: Sequence[bytes]) -> list[np.ndarray | str]:
    """As the converter's child process makes them, but in the one that is there already."""
    return [tflm(model, [INPUTS])[0].reshape(-1) for model in models]


@cache
def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def _tflm(model: bytes, inputs: list[np.ndarray]) -> list[np.ndarray] | str:
    from runtimes.tflm import TflmInterpreter

    try:
        interpreter = TflmInterpreter(model, _ARENA_BYTES)
        return [interpreter.run_all([one], 1)[0] for one in inputs]
    except RefusedError as error:
        return error.message


def _inputs(tensor: Tensor, count: int) -> list[np.ndarray]:
    """Random values, and the extremes."""
    dice = np.random.default_rng(0)
    extremes = np.array([-128, -127, -1, 0, 1, 126, 127], np.int8)
    return [
        dice.choice(extremes, tensor.shape)
        if number == 0
        else dice.integers(-128, 128, tensor.shape, np.int8)
        for number in range(count)
    ]
