"""What the chips' boot ROMs want: the Pico's own ROM starts our flash, and the model answers there."""

import logging
import struct

import pytest

import boards
from converter.execution import execute
from firmware_sim.elf import read_elf
from firmware_sim.flashing.boot_page import PAGE_BYTES, boot_page, checksum
from firmware_sim.flashing.content import Region
from firmware_sim.flashing.firmware import flash_firmware
from tests.firmware_sim.flashing.contents import content
from tests.firmware_sim.flashing.pico import Pico
from tests.firmware_sim.smp.rig import WINDOWS
from tests.firmware_sim.smp.wrapping import OLD, image
from wire.image import read_header
from wire.states import NumericsFamily

BOARD = boards.load("rpi-pico")
SECOND_STAGE = 0x20041F00
"""Where the ROM puts it (RP2040 datasheet, 2.8.1.3)."""


@pytest.fixture(scope="module", autouse=True)
def quiet():
    """The emulator names every register that it does not model."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def elf():
    return read_elf(flash_firmware(BOARD, image(OLD), PAGE_BYTES))


def test_the_picos_boot_rom_starts_the_firmware_and_the_model_answers_bit_exactly(elf):
    pico, idle = Pico(content("rpi-pico")), elf.symbols["wait_for_host"]
    assert pico.run_to(idle)
    assert SECOND_STAGE >> 8 in pico.pages
    header, mailbox, arena = read_header(image(OLD)), elf.symbols["mailbox"], elf.symbols["arena_start"]
    slot = content("rpi-pico")[-1]

    def command(number, *arguments):
        pico.write(mailbox, struct.pack("<IiII", number, -1000, *arguments))
        assert pico.run_to(idle + 2)
        assert pico.run_to(idle, 4_000_000)
        return struct.unpack("<i", pico.read(mailbox + 4, 4))[0]

    assert command(1, slot.address, len(slot.data)) == 0
    pico.write(arena + header.input_at, WINDOWS[0].tobytes())
    assert command(2, 0, 0) == 0
    wanted = execute(NumericsFamily.TFLM, OLD, WINDOWS[:1, 0]).outputs.tobytes()
    assert pico.read(arena + header.output_at, header.output_bytes) == wanted


@pytest.mark.parametrize("bit", [0, 700, 252 * 8])
def test_the_picos_boot_rom_does_not_start_a_damaged_page(elf, bit):
    page, *others = content("rpi-pico")
    damaged = bytearray(page.data)
    damaged[bit // 8] ^= 1 << bit % 8
    pico = Pico([Region(page.address, bytes(damaged)), *others])
    assert not pico.run_to(elf.symbols["wait_for_host"], 60_000)
    assert not {SECOND_STAGE >> 8, *range(0x100000, 0x100100)} & pico.pages


def test_the_checksum_is_the_one_of_the_catalogues():
    # CRC-32/MPEG-2's check value in Greg Cook's catalogue of CRC algorithms.
    assert checksum(b"123456789") == 0x0376E6E7


def test_the_second_picos_page_is_the_least_block_of_its_datasheet_with_the_place_of_the_vectors():
    page = boot_page(boards.load("rpi-pico-2"))
    start, image_type, vectors, address, last, link, end = struct.unpack_from("<7I", page)
    assert (start, end) == (0xFFFFDED3, 0xAB123579)
    assert (image_type & 0xFFFF, vectors, last, link) == (0x0142, 0x0203, 0x03FF, 0)
    second = content("rpi-pico-2")[1]
    assert address == second.address
    stack, reset = struct.unpack_from("<II", second.data)
    board = boards.load("rpi-pico-2")
    assert board.ram_origin < stack <= board.ram_origin + board.ram_bytes
    assert second.address < reset < second.address + 65536


def test_other_chips_start_from_their_vectors():
    assert boot_page(boards.load("nucleo-l4r5zi")) == b""
    assert content("nucleo-l4r5zi")[0].address == 0x08000000
