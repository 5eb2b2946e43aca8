"""An int8 ``.tflite`` on an emulated board, beside tflite-micro: answers, counts, and sizes."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np
import unicorn
from numpy.typing import NDArray

import boards
from converter.execution import execute
from converter.image.compiler import Image, compile_image
from firmware_sim import cycles, toolchain
from firmware_sim.cores import core_of
from firmware_sim.elf import read_elf
from firmware_sim.layout import layout_of
from firmware_sim.machine import Machine
from firmware_sim.profile import Profiler
from firmware_sim.tally import OperatorCost, Tally
from wire.states import NumericsFamily

Int8 = NDArray[np.int8]
LIMITS: Final = (
    f"cycles are estimated from counted instructions by class; not modelled: {cycles.NOT_MODELLED}"
)


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What ran; every figure is counted or measured but those that are called estimated."""

    board: str
    core: str
    clock_mhz: float
    instructions: tuple[int, ...]
    """Of each inference, exact; an instruction that an IT block skips counts as one."""
    cycles_estimated: tuple[int, ...]
    latency_ms: float
    """Estimated cycles at the board's clock, mean of the inferences."""
    stack_bytes: int
    """Ever written, startup included."""
    ram_bytes: int
    """Variables, stack and arena."""
    flash_bytes: int
    """Runtime and image."""
    bit_exact_with_tflm: bool
    """Every byte of every answer is that of tflite-micro for the same inputs."""
    differing_bytes: int
    variable_bytes: int
    arena_bytes: int
    runtime_flash_bytes: int
    model_flash_bytes: int
    ops: tuple[OperatorCost, ...]
    """Of the first inference."""
    compiler: str
    optimisation: str
    emulator: str
    cycle_table: cycles.CycleTable
    limits: str = LIMITS


class Answered(NamedTuple):
    """An execution with its answers."""

    execution: Execution
    outputs: Int8
    """(n, *output shape without the batch)."""


def run(
    model: bytes, board_name: str, inputs: Int8, *, optimisation: str = toolchain.OPTIMISATION
) -> Answered:
    """Every input (n, *input shape without the batch), n >= 1, in turn; kept state is kept between them.

    RefusedError: an operator that is not compiled, a model that does not link into the board, a HardFault.
    """
    board = boards.load(board_name)
    core, layout = core_of(board.target), layout_of(board)
    image = compile_image(model)
    symbols = {**layout.symbols(), "ARENA_BYTES": image.header.arena_bytes}
    elf = read_elf(toolchain.firmware(core.compiler_cpu, symbols, image.data, optimisation=optimisation))
    machine = Machine(core, layout, elf)
    machine.bind(layout.slot_origin, len(image.data))
    table = cycles.table_of(board.target)
    ran = _run(machine, image, inputs, Tally(table, image.ops))
    wanted = execute(NumericsFamily.TFLM, model, inputs).outputs
    differing = int(np.count_nonzero(ran.answers != wanted.reshape(ran.answers.shape)))
    spent = [sum(op.cycles_estimated for op in ops) for ops in ran.costs]
    stack_bytes = machine.stack_used()
    execution = Execution(
        board=board_name,
        core=board.target,
        clock_mhz=board.clock_mhz,
        instructions=tuple(sum(op.instructions for op in ops) for ops in ran.costs),
        cycles_estimated=tuple(spent),
        latency_ms=round(sum(spent) / len(spent) / (board.clock_mhz * 1e3), 3),
        stack_bytes=stack_bytes,
        ram_bytes=elf.variable_bytes + stack_bytes + image.header.arena_bytes,
        flash_bytes=elf.code_bytes + len(image.data),
        bit_exact_with_tflm=differing == 0,
        differing_bytes=differing,
        variable_bytes=elf.variable_bytes,
        arena_bytes=image.header.arena_bytes,
        runtime_flash_bytes=elf.code_bytes,
        model_flash_bytes=len(image.data),
        ops=ran.costs[0],
        compiler=toolchain.compiler_version(),
        optimisation=optimisation,
        emulator=f"unicorn {unicorn.__version__}",
        cycle_table=table,
    )
    return Answered(execution, ran.answers.reshape(wanted.shape))


class _Ran(NamedTuple):
    answers: Int8
    """(n, output bytes)."""
    costs: list[tuple[OperatorCost, ...]]


def _run(machine: Machine, image: Image, inputs: Int8, tally: Tally) -> _Ran:
    header = image.header
    arena = machine.elf.symbols["arena_start"]
    profiler = Profiler(machine, len(image.ops))
    answers, costs = [], []
    for values in inputs:
        machine.write(arena + header.input_at, values.tobytes())
        machine.invoke()
        costs.append(tally.operators(profiler.take()))
        answers.append(np.frombuffer(machine.read(arena + header.output_at, header.output_bytes), np.int8))
    profiler.stop()
    return _Ran(np.stack(answers), costs)
