"""Firmware, slots, stack and arena lie inside the board's memory and beside each other."""

import pytest

import boards
from firmware_sim.cores import core_of
from firmware_sim.layout import layout_of
from wire.errors import NotFoundError, RefusedError

EMULATED = [name for name in boards.names() if boards.load(name).flash_origin is not None]


def test_the_boards_of_the_catalogue_that_are_emulated():
    assert {"rpi-pico", "nano33ble", "nucleo-l4r5zi", "nucleo-u575zi"} <= set(EMULATED)


@pytest.mark.parametrize("name", EMULATED)
def test_code_and_two_slots_fill_the_flash(name):
    board = boards.load(name)
    layout = layout_of(board)
    assert layout.slot_origin == layout.flash_origin + layout.code_bytes
    assert layout.slot_origin + 2 * layout.slot_bytes == layout.flash_origin + board.flash_bytes


@pytest.mark.parametrize("name", EMULATED)
def test_stack_variables_and_arena_fit_the_ram(name):
    board = boards.load(name)
    layout = layout_of(board)
    assert layout.stack_bytes < layout.own_ram_bytes
    assert layout.arena_origin == layout.ram_origin + layout.own_ram_bytes
    assert layout.arena_origin + layout.model_ram_bytes <= layout.ram_origin + board.ram_bytes
    assert core_of(board.target)


@pytest.mark.parametrize("name", sorted(set(boards.names()) - set(EMULATED)))
def test_other_boards_are_refused(name):
    board = boards.load(name)
    with pytest.raises(RefusedError, match="flash_origin"):
        layout_of(board)
    with pytest.raises(NotFoundError, match="no emulated core"):
        core_of(board.target)
