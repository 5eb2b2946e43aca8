"""One booted machine per core with a generous arena: images are written into its slot and executed.

An image finds garbage in the arena, and may leave nothing behind its own bytes.
"""

from __future__ import annotations

from functools import cache

import numpy as np

import boards
from converter.image.compiler import Image, compile_image
from converter.image.graph import read
from firmware_sim.cores import core_of
from firmware_sim.elf import read_elf
from firmware_sim.layout import layout_of
from firmware_sim.machine import Machine
from firmware_sim.native import ImageInterpreter
from firmware_sim.toolchain import firmware
from tests.firmware_sim.oracle import Oracle

CORES = {"cortex-m4": "nucleo-l4r5zi", "cortex-m33": "nucleo-u575zi", "cortex-m0plus": "rpi-pico"}
"""A board of each."""
TWO = ("cortex-m4", "cortex-m0plus")
"""With DSP instructions, and without."""
HOST = "host"
"""The same C without assembly, as simulated fleets run it."""
ARENA_BYTES = 96 * 1024
_GUARD_BYTES = 256
_GARBAGE = np.random.default_rng(5).integers(0, 256, ARENA_BYTES, np.uint8).tobytes()


@cache
def machine(core: str) -> Machine:
    """Of a core, or of a board by its name."""
    board = boards.load(CORES.get(core, core))
    made, layout = core_of(board.target), layout_of(board)
    symbols = {**layout.symbols(), "ARENA_BYTES": ARENA_BYTES}
    return Machine(made, layout, read_elf(firmware(made.compiler_cpu, symbols, b"")))


def run(core: str, image: Image, inputs: list[np.ndarray]) -> list[bytes]:
    """Outputs of one inference after the other."""
    it = machine(core)
    arena, head = it.elf.symbols["arena_start"], image.header
    assert head.arena_bytes + _GUARD_BYTES <= ARENA_BYTES
    it.write(arena, _GARBAGE)
    it.write(it.layout.slot_origin, image.data)
    it.bind(it.layout.slot_origin, len(image.data))
    found = invoke(it, image, inputs)
    behind = slice(head.arena_bytes, head.arena_bytes + _GUARD_BYTES)
    assert it.read(arena + head.arena_bytes, _GUARD_BYTES) == _GARBAGE[behind], "wrote behind its arena"
    return found


def run_on_host(image: Image, inputs: list[np.ndarray]) -> list[bytes]:
    """The same on this machine."""
    interpreter = ImageInterpreter(image.data)
    return [interpreter.run(values).tobytes() for values in inputs]


def invoke(it: Machine, image: Image, inputs: list[np.ndarray]) -> list[bytes]:
    """Of a machine that is bound to ``image``."""
    arena, head, found = it.elf.symbols["arena_start"], image.header, []
    for values in inputs:
        it.write(arena + head.input_at, values.tobytes())
        it.invoke()
        found.append(it.read(arena + head.output_at, head.output_bytes))
    return found


def random_inputs(model: bytes, count: int) -> list[np.ndarray]:
    """One of extremes, the others even."""
    shape, dice = read(model).input.shape, np.random.default_rng(0)
    extremes = dice.choice(np.array([-128, -127, -1, 0, 1, 126, 127], np.int8), shape)
    return [extremes, *(dice.integers(-128, 128, shape, np.int8) for _ in range(1, count))]


def assert_same(
    model: bytes, inputs: list[np.ndarray], oracle: Oracle, cores: tuple[str, ...] = tuple(CORES)
) -> Image:
    """Each core gives tflite-micro's bytes; the image."""
    expected = oracle.outputs(model, inputs)
    assert not isinstance(expected, str), f"tflite-micro: {expected}"
    image = compile_image(model, oracle.tables)
    for core in (*cores, HOST):
        ran = run_on_host(image, inputs) if core == HOST else run(core, image, inputs)
        for turn, (found, right) in enumerate(zip(ran, expected, strict=True)):
            if found != right:
                one, other = np.frombuffer(found, np.int8), np.frombuffer(right, np.int8)
                wrong = np.flatnonzero(one != other)
                raise AssertionError(
                    f"{core}, inference {turn}: {len(wrong)} of {len(other)} bytes differ, from {wrong[0]}:"
                    f" {one[wrong[:8]]} for {other[wrong[:8]]}; {image.ops}"
                )
    return image


def check(model: bytes, oracle: Oracle, count: int = 3, cores: tuple[str, ...] = TWO) -> Image:
    """The same for so many random inputs."""
    return assert_same(model, random_inputs(model, count), oracle, cores)
