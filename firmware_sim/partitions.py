"""What lies where in a chip's flash: the journal at the end of the firmware's part, then the slots."""

from __future__ import annotations

from typing import NamedTuple

from boards import Board
from firmware_sim.geometry import Geometry, geometry_of
from firmware_sim.journal import MIN_BANK_BYTES, MIN_BANKS, Bank


class Partitions(NamedTuple):
    """Addresses count from the start of the flash; all of them are sector boundaries."""

    journal: tuple[Bank, ...]
    a: Bank
    b: Bank


def partitions_of(board: Board) -> tuple[Geometry, Partitions]:
    """The chip of a board; RefusedError when the catalogue does not describe its flash."""
    geometry = geometry_of(board)
    slots = board.flash_bytes - 2 * board.slot_bytes
    sector_bytes = geometry.sector_at(slots).length
    bank_bytes = -(-MIN_BANK_BYTES // sector_bytes) * sector_bytes
    start = slots - MIN_BANKS * bank_bytes
    return geometry, Partitions(
        journal=tuple(Bank(start + index * bank_bytes, bank_bytes) for index in range(MIN_BANKS)),
        a=Bank(slots, board.slot_bytes),
        b=Bank(slots + board.slot_bytes, board.slot_bytes),
    )
