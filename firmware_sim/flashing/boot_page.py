"""The first page of flash, for chips whose boot ROM wants more there than a vector table."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from boards import Board
from firmware_sim.cores import core_of
from firmware_sim.elf import read_elf
from firmware_sim.toolchain import assembled
from wire.errors import RefusedError

PAGE_BYTES: Final = 256
_SECOND_STAGE: Final = Path(__file__).parent / "rp2040.S"
_POLYNOMIAL: Final = 0x04C11DB7


def boot_page(board: Board) -> bytes:
    """One page of PAGE_BYTES; empty for chips that start from the vector table itself."""
    page = _PAGES.get(board.uf2_board or "")
    return b"" if page is None else page(board)


def checksum(data: bytes) -> int:
    """As the RP2040's boot ROM: CRC-32 with all ones before, nothing reflected, nothing inverted after."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (_POLYNOMIAL if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def _rp2040(board: Board) -> bytes:
    """Datasheet, section 2.8.1.3.1: a second stage of 252 bytes and its checksum."""
    elf = read_elf(assembled(_SECOND_STAGE, core_of(board.target).compiler_cpu))
    code = next(data for address, data in elf.segments if address == elf.sections[".text"][0])
    if len(code) > PAGE_BYTES - 4:
        raise RefusedError("boot_page", f"the second stage is {len(code)} bytes, over 252", "report this")
    padded = code.ljust(PAGE_BYTES - 4, b"\0")
    return padded + struct.pack("<I", checksum(padded))


def _rp2350(board: Board) -> bytes:
    """Datasheet, section 5.9.5.1: the least IMAGE_DEF, and where the vectors are (5.9.3.3)."""
    origin = board.flash_origin or 0
    block = (
        0xFFFFDED3,
        0x10210142,  # IMAGE_TYPE: an executable for Arm, secure state, RP2350
        0x00000203, origin + PAGE_BYTES,  # VECTOR_TABLE
        0x000003FF,  # LAST: three words before it
        0x00000000,  # the only block
        0xAB123579,
    )  # fmt: skip
    return struct.pack(f"<{len(block)}I", *block).ljust(PAGE_BYTES, b"\xff")


_PAGES: Final[dict[str, Callable[[Board], bytes]]] = {"RPI-RP2": _rp2040, "RP2350": _rp2350}
"""By the boot ROM's name of itself."""
