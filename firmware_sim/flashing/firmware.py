"""The runtime for a board with a model in its first slot."""

from __future__ import annotations

from pathlib import Path

from boards import Board
from firmware_sim.cores import core_of
from firmware_sim.layout import Layout, layout_of
from firmware_sim.toolchain import firmware
from wire.errors import RefusedError
from wire.image import read_header
from wire.states import Reason


def board_firmware(board: Board, image: bytes) -> Path:
    """The ELF, with all RAM that the board has for models, so that a later model needs no other firmware.

    RefusedError when the image needs more flash or RAM than the board has for one.
    """
    return flash_firmware(board, image, 0)


def flash_firmware(board: Board, image: bytes, page_bytes: int) -> Path:
    """The same behind the first ``page_bytes`` of flash, where the boot ROM of some chips wants its own."""
    layout = layout_of(board)
    check_room(layout, board.name, image)
    behind = layout._replace(
        flash_origin=layout.flash_origin + page_bytes, code_bytes=layout.code_bytes - page_bytes
    )
    symbols = {**behind.symbols(), "ARENA_BYTES": layout.model_ram_bytes}
    return firmware(core_of(board.target).compiler_cpu, symbols, image)


def check_room(layout: Layout, board: str, image: bytes) -> None:
    """RefusedError when the image needs more flash or RAM than the board has for one; WireError for none."""
    needs = read_header(image)
    if needs.bytes > layout.slot_bytes:
        raise RefusedError(
            Reason.OUT_OF_FLASH,
            f"the image is {needs.bytes:,} bytes, a slot of {board} {layout.slot_bytes:,}",
            "use a smaller model",
        )
    if needs.arena_bytes > layout.model_ram_bytes:
        raise RefusedError(
            Reason.OUT_OF_RAM,
            f"the model needs {needs.arena_bytes:,} bytes of RAM, {board} gives {layout.model_ram_bytes:,}",
            "use a smaller model",
        )
