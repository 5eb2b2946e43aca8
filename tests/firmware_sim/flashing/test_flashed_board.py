"""What is in the file runs: its bytes, as intelhex reads them, on the emulated core, against tflite-micro."""

import io

import pytest
from intelhex import IntelHex

import boards
from converter.execution import execute
from firmware_sim.cores import core_of
from firmware_sim.elf import Elf, read_elf
from firmware_sim.flashing.firmware import flash_firmware
from firmware_sim.flashing.formats import encode
from firmware_sim.layout import layout_of
from firmware_sim.machine import Machine
from tests.firmware_sim.flashing.contents import content
from tests.firmware_sim.smp.rig import WINDOWS
from tests.firmware_sim.smp.wrapping import OLD, image
from wire.image import read_header
from wire.states import NumericsFamily


def flashed(board):
    """A machine whose flash has what the .hex says and nothing else."""
    file = IntelHex(io.StringIO(encode(content(board.name), board, ".hex").decode()))
    parts = tuple((start, bytes(file.tobinarray(start=start, end=end - 1))) for start, end in file.segments())
    symbols = read_elf(flash_firmware(board, image(OLD), 0)).symbols
    return Machine(core_of(board.target), layout_of(board), Elf(parts, symbols, {}))


@pytest.mark.parametrize("name", ["nano33ble", "nucleo-l4r5zi", "nucleo-u575zi", "nucleo-h7a3zi"])
def test_a_flashed_board_answers_as_tflm_does(name):
    board = boards.load(name)
    machine, header, layout = flashed(board), read_header(image(OLD)), layout_of(board)
    machine.bind(layout.slot_origin, layout.slot_bytes)
    outputs = b""
    for window in WINDOWS:
        machine.write(layout.arena_origin + header.input_at, window.tobytes())
        machine.invoke()
        outputs += machine.read(layout.arena_origin + header.output_at, header.output_bytes)
    assert outputs == execute(NumericsFamily.TFLM, OLD, WINDOWS[:, 0]).outputs.tobytes()
