"""A machine boots, says what is wrong with an image, and its ELF file accounts for every byte."""

import pytest

import boards
from converter.image.compiler import compile_image
from firmware_sim import toolchain
from firmware_sim.cores import core_of
from firmware_sim.elf import read_elf
from firmware_sim.layout import layout_of
from firmware_sim.machine import Machine
from tests.converter import crafted
from wire.errors import RefusedError
from wire.image import HEADER_BYTES

BOARD = boards.load("rpi-pico")
LAYOUT = layout_of(BOARD)
IMAGE = compile_image(crafted.model())


def booted(image: bytes = IMAGE.data, arena_bytes: int = IMAGE.header.arena_bytes) -> Machine:
    symbols = {**LAYOUT.symbols(), "ARENA_BYTES": arena_bytes}
    core = core_of(BOARD.target)
    return Machine(core, LAYOUT, read_elf(toolchain.firmware(core.compiler_cpu, symbols, image)))


@pytest.mark.parametrize(
    ("place", "verdict"),
    [
        (0, "there is no image"),
        (4, "of another format"),
        (8, "needs more room"),
        (12, "the image is damaged"),
        (HEADER_BYTES, "the image is damaged"),
        (len(IMAGE.data) - 1, "the image is damaged"),
    ],
)
def test_an_image_with_one_wrong_byte_is_refused_by_the_firmware(place, verdict):
    machine = booted()
    wrong = bytearray(IMAGE.data)
    wrong[place] ^= 0x40
    machine.write(LAYOUT.slot_origin, bytes(wrong))
    with pytest.raises(RefusedError, match=verdict):
        machine.bind(LAYOUT.slot_origin, len(wrong))


def test_an_image_larger_than_its_slot_is_refused_by_the_firmware():
    with pytest.raises(RefusedError, match="needs more room"):
        booted().bind(LAYOUT.slot_origin, len(IMAGE.data) - 1)


def test_an_arena_that_is_too_small_is_refused_by_the_firmware():
    with pytest.raises(RefusedError, match="needs more room"):
        booted(arena_bytes=IMAGE.header.arena_bytes - 16).bind(LAYOUT.slot_origin, len(IMAGE.data))


def test_nothing_runs_before_an_image_is_bound():
    with pytest.raises(RefusedError, match="there is no image"):
        booted().invoke()


def test_the_elf_has_image_and_arena_where_the_layout_says():
    elf = booted().elf
    assert elf.sections[".image"] == (LAYOUT.slot_origin, len(IMAGE.data))
    assert elf.sections[".arena"] == (LAYOUT.arena_origin, IMAGE.header.arena_bytes)
    assert elf.sections[".vectors"][0] == LAYOUT.flash_origin
    assert elf.symbols["stack_top"] == LAYOUT.ram_origin + LAYOUT.stack_bytes


def test_flash_of_the_runtime_is_what_is_loaded_but_the_image():
    elf = booted().elf
    loaded = sum(len(content) for address, content in elf.segments if address < LAYOUT.slot_origin)
    assert loaded <= elf.code_bytes <= loaded + 16


def test_the_stack_is_measured_by_what_was_written():
    machine = booted()
    before = machine.stack_used()
    assert 0 < before < LAYOUT.stack_bytes
    machine.bind(LAYOUT.slot_origin, len(IMAGE.data))
    assert machine.stack_used() >= before
