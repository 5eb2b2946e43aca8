"""What a core answers with a HardFault ends the run with its address; what does not fit does not link."""

from functools import cache
from pathlib import Path

import pytest
import unicorn

import boards
from converter.image.compiler import compile_image
from firmware_sim import toolchain
from firmware_sim.cores import core_of
from firmware_sim.elf import read_elf
from firmware_sim.layout import layout_of
from firmware_sim.machine import HardFaultError, Machine
from tests.converter import crafted
from wire.errors import RefusedError

BOARDS = ("rpi-pico", "nucleo-l4r5zi", "nucleo-u575zi")
READ, WRITE, CALL, RECURSE = range(1, 5)
BX_LR = b"\x70\x47"
#: Instructions that Armv6-M lacks, then a return.
ARMV7 = {
    "movw": b"\x40\xf2\x01\x00" + BX_LR,
    "udiv": b"\xb0\xfb\xf0\xf0" + BX_LR,
    "smlad": b"\x20\xfb\x00\x00" + BX_LR,
}
every_board = pytest.mark.parametrize("board", BOARDS)


@cache
def rogue(board: str) -> Machine:
    layout, core = layout_of(boards.load(board)), core_of(boards.load(board).target)
    firmware = Path(toolchain.__file__).parent / "firmware"
    sources = [Path(__file__).parent / "rogue.c", firmware / "startup.c"]
    symbols = {**layout.symbols(), "ARENA_BYTES": 64}
    options = (f"-I{firmware}",)
    elf = toolchain.build("cortex_m0plus", symbols, b"", sources, optimisation="-Os", options=options)
    return Machine(core, layout, read_elf(elf))


def commit(machine: Machine, deed: int, place: int = 0) -> None:
    for name, value in (("deed", deed), ("place", place)):
        machine.write(machine.elf.symbols[name], value.to_bytes(4, "little"))
    machine.invoke()


def fault(board: str, deed: int, place: int = 0) -> HardFaultError:
    with pytest.raises(HardFaultError) as caught:
        commit(rogue(board), deed, place)
    # A new machine next time: this core has stopped.
    rogue.cache_clear()
    return caught.value


@every_board
def test_a_write_to_flash_is_a_hard_fault_with_its_address(board):
    slot = rogue(board).layout.slot_origin
    found = fault(board, WRITE, slot)
    assert found.address == slot
    assert "write to flash" in found.message
    assert found.exit_code == 4


@every_board
def test_a_stray_read_is_a_hard_fault_with_its_address(board):
    found = fault(board, READ, 0x60000000)
    assert (found.address, found.pc & ~1 != 0) == (0x60000000, True)
    assert f"stray read at 0x{0x60000000:08x}" in found.message


@every_board
def test_a_stray_write_is_a_hard_fault_with_its_address(board):
    assert fault(board, WRITE, 0x60000004).address == 0x60000004


@every_board
def test_a_jump_into_ram_or_nowhere_is_a_hard_fault(board):
    ram = rogue(board).layout.ram_origin
    assert fault(board, CALL, ram).address == ram
    assert fault(board, CALL, 0x60000000).address == 0x60000000


@every_board
def test_a_stack_that_outgrows_its_place_faults_below_ram(board):
    bottom = rogue(board).layout.ram_origin
    found = fault(board, RECURSE)
    assert bottom - 256 <= found.address < bottom
    assert "stray write" in found.message


@pytest.mark.parametrize("name", ARMV7)
def test_code_of_a_larger_core_is_undefined_on_the_small_one(name):
    """UC_MODE_MCLASS would make a Cortex-M33 of every core, and this code would run."""
    for board in BOARDS:
        machine = rogue(board)
        place = machine.layout.slot_origin
        machine.write(place, ARMV7[name])
        if board == "rpi-pico":
            found = fault(board, CALL, place)
            assert found.message.startswith("HardFault: undefined instruction")
            assert found.address == place
        else:
            commit(machine, CALL, place)


def test_mclass_mode_really_is_the_trap_that_cores_avoid():
    engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    engine.ctl_set_cpu_model(core_of("cortex-m0plus").emulator_model)
    engine.mem_map(0, 4096)
    engine.mem_write(0, ARMV7["movw"])
    engine.emu_start(1, 4)


def test_firmware_of_a_larger_core_does_not_boot_on_the_small_one():
    board = boards.load("rpi-pico")
    layout, image = layout_of(board), compile_image(crafted.model())
    symbols = {**layout.symbols(), "ARENA_BYTES": image.header.arena_bytes}
    elf = read_elf(toolchain.firmware("cortex_m4", symbols, image.data))
    with pytest.raises(HardFaultError, match="undefined instruction"):
        Machine(core_of(board.target), layout, elf).bind(layout.slot_origin, len(image.data))


def test_an_arena_that_does_not_fit_fails_at_link_with_region_and_bytes():
    layout = layout_of(boards.load("rpi-pico"))
    symbols = {**layout.symbols(), "ARENA_BYTES": layout.model_ram_bytes + 4096}
    with pytest.raises(RefusedError, match=r"\.arena is 4,096 bytes too large for ARENA") as caught:
        toolchain.firmware("cortex_m0plus", symbols, b"")
    assert caught.value.code == "out_of_ram"


def test_an_image_that_does_not_fit_fails_at_link_with_region_and_bytes():
    layout = layout_of(boards.load("rpi-pico"))
    symbols = {**layout.symbols(), "ARENA_BYTES": 64}
    with pytest.raises(RefusedError, match=r"\.image is 16 bytes too large for SLOT_A") as caught:
        toolchain.firmware("cortex_m0plus", symbols, bytes(layout.slot_bytes + 16))
    assert caught.value.code == "out_of_flash"
