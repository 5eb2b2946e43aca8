"""What goes where in a board's flash: the firmware with a model, or a model alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from boards import Board
from firmware_sim.elf import read_elf
from firmware_sim.flashing.boot_page import boot_page
from firmware_sim.flashing.firmware import check_room, flash_firmware
from firmware_sim.layout import layout_of
from wire.errors import RefusedError
from wire.states import NumericsFamily

ERASED: Final = b"\xff"
"""What NOR flash reads after an erase; between regions."""


class Region(NamedTuple):
    """Bytes from an address on."""

    address: int
    data: bytes

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + len(self.data)


Content = tuple[Region, ...]
"""In order of their addresses, without overlap."""


def whole(board: Board, image: bytes) -> tuple[Content, Path]:
    """Boot page where the chip wants one, runtime, and the image in the first slot; the runtime's ELF."""
    if board.flash_origin is None:
        raise RefusedError("no_runtime", f"there is no runtime for {board.target}", "use --model-only")
    page = boot_page(board)
    elf = flash_firmware(board, image, len(page))
    parts = [Region(layout_of(board).flash_origin, page)] if page else []
    parts += [Region(address, data) for address, data in read_elf(elf).segments]
    return _in_order(parts), elf


def model_only(board: Board, image: bytes) -> Content:
    """The image in the first slot."""
    if board.flash_origin is not None:
        check_room(layout_of(board), board.name, image)
    elif len(image) > board.slot_bytes:
        raise RefusedError("out_of_flash", f"the image does not fit a slot of {board.name}", "")
    return (Region(slot_address(board), image),)


def slot_address(board: Board) -> int:
    """Of the first slot; an offset from the start of the flash where the catalogue has no address.

    RefusedError for Linux devices, which have files instead.
    """
    if board.numerics is not NumericsFamily.TFLM:
        raise RefusedError("no_flash", f"{board.name} runs Linux: nothing is flashed", "see: tinyfleet agent")
    return (board.flash_origin or 0) + board.flash_bytes - 2 * board.slot_bytes


def _in_order(parts: list[Region]) -> Content:
    content = tuple(sorted(parts))
    for one, two in pairwise(content):
        if one.end > two.address:
            raise RefusedError("overlap", f"two parts meet at 0x{two.address:08x}", "report this")
    return content
