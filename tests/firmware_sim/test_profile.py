"""Counting: exact, the same every time, and every instruction in one class."""

import numpy as np
import pytest
import unicorn

import boards
from converter.image.compiler import compile_image
from firmware_sim import toolchain
from firmware_sim.cores import core_of
from firmware_sim.cycles import table_of
from firmware_sim.elf import read_elf
from firmware_sim.instruction import decode
from firmware_sim.layout import layout_of
from firmware_sim.machine import Machine
from firmware_sim.profile import Blocks, Profiler
from firmware_sim.tally import CLASSES, Tally
from tests.converter import crafted

BOARDS = ("rpi-pico", "nucleo-l4r5zi", "nucleo-u575zi")
IMAGE = compile_image(crafted.model())


def booted(board_name: str) -> Machine:
    board = boards.load(board_name)
    layout, core = layout_of(board), core_of(board.target)
    symbols = {**layout.symbols(), "ARENA_BYTES": IMAGE.header.arena_bytes}
    machine = Machine(core, layout, read_elf(toolchain.firmware(core.compiler_cpu, symbols, IMAGE.data)))
    machine.bind(layout.slot_origin, len(IMAGE.data))
    return machine


def infer(machine: Machine, value: int = 3) -> None:
    place = machine.elf.symbols["arena_start"] + IMAGE.header.input_at
    machine.write(place, np.full(IMAGE.header.input_bytes, value, np.int8).tobytes())
    machine.invoke()


def steps(machine: Machine) -> int:
    """Instructions of one inference by a hook at each: slow, and without those that an IT block skips."""
    count = 0

    def one(*_):
        nonlocal count
        count += 1

    hook = machine.engine.hook_add(unicorn.UC_HOOK_CODE, one)
    machine.engine.ctl_flush_tb()
    infer(machine)
    machine.engine.hook_del(hook)
    machine.engine.ctl_flush_tb()
    return count


@pytest.mark.parametrize("board", BOARDS)
def test_blocks_give_the_count_of_a_hook_at_every_instruction(board):
    machine = booted(board)
    slow = steps(machine)
    profiler = Profiler(machine, len(IMAGE.ops))
    infer(machine)
    ran = profiler.take()
    found = sum(
        op.instructions for op in Tally(table_of(boards.load(board).target), IMAGE.ops).operators(ran)
    )
    skippable = sum(
        int(count) * sum(1 for each in decode(code, start) if each.skippable)
        for start, code, count in zip(ran.starts, ran.code, ran.counts.sum(0), strict=True)
    )
    if board == "rpi-pico":
        assert skippable == 0
    assert found - skippable <= slow <= found


@pytest.mark.parametrize("board", BOARDS)
def test_every_instruction_is_in_one_class_and_counts_repeat(board):
    def counts():
        machine = booted(board)
        profiler = Profiler(machine, len(IMAGE.ops))
        tally = Tally(table_of(boards.load(board).target), IMAGE.ops)
        found = []
        for _ in range(2):
            infer(machine)
            found.append(tally.operators(profiler.take()))
        return found

    first, second = counts()
    assert first == second == counts()[0]
    assert [op.op for op in first] == ["(before)", *IMAGE.ops, "(after)"]
    for op in first:
        assert tuple(op.classes) == CLASSES
        assert op.instructions == sum(op.classes.values()) > 0
        assert op.cycles_estimated >= op.instructions


def test_a_profiler_that_was_stopped_counts_no_more():
    machine = booted("rpi-pico")
    profiler = Profiler(machine, len(IMAGE.ops))
    profiler.stop()
    infer(machine)
    assert not profiler.take().starts


def test_multiplications_are_at_least_the_models():
    """(1, 8) by (6, 8): 48 products, of which the small core does one at a time."""
    machine = booted("rpi-pico")
    profiler = Profiler(machine, len(IMAGE.ops))
    infer(machine)
    ops = Tally(table_of("cortex-m0plus"), IMAGE.ops).operators(profiler.take())
    assert ops[1].op == "FULLY_CONNECTED"
    assert ops[1].classes["multiply"] >= 48


def test_straight_code_costs_the_same_wherever_the_emulator_cuts_it():
    """LDR R0, [R1]; LDR R3, [R2]; BX LR: the second load overlaps the first on a Cortex-M4."""
    code = bytes.fromhex("0868136870 47".replace(" ", ""))
    seven = np.full((2, 1), 7, np.uint64)
    whole = Blocks((0x100,), (code,), seven, 0 * seven)
    pair = np.repeat(seven, 2, axis=1)
    cut = Blocks((0x100, 0x102), (code[:2], code[2:]), pair, 0 * pair)
    tally = Tally(table_of("cortex-m4"), [])
    assert tally.operators(cut) == tally.operators(whole)
    assert tally.operators(whole)[0].cycles_estimated == 7 * (2 + 1 + 1 + 3)
