"""How the flash of a chip is divided: sectors that erase whole, units that are programmed once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from boards import Board
from wire.errors import RefusedError, StoreError


class FlashError(StoreError):
    """The firmware asked for what the chip cannot do; ``address`` is where."""

    def __init__(self, code: str, what: str, address: int) -> None:
        super().__init__(code, f"flash: {what} at 0x{address:x}", "this is a bug in the firmware")
        self.address = address


class Sector(NamedTuple):
    """What one erase clears; bytes."""

    number: int
    start: int
    length: int

    @property
    def end(self) -> int:
        """Of the next sector the start."""
        return self.start + self.length


class Geometry(NamedTuple):
    """A chip's flash; addresses count from its start."""

    regions: tuple[tuple[int, int], ...]
    """(number of sectors, bytes of each), from the lowest address."""
    write_bytes: int
    """Unit of programming: aligned, and once after an erase."""
    erased: int = 0xFF
    """What an erased byte reads as: 0xFF, or 0x00."""

    @property
    def flash_bytes(self) -> int:
        """All of it."""
        return sum(count * length for count, length in self.regions)

    def sector_at(self, address: int) -> Sector:
        """The sector that holds a byte; FlashError beyond the end."""
        index = start = 0
        for count, length in self.regions:
            if start <= address < start + count * length:
                inside = (address - start) // length
                return Sector(index + inside, start + inside * length, length)
            index, start = index + count, start + count * length
        raise FlashError("out_of_bounds", "access beyond the end", address)

    def sectors(self, start: int, end: int) -> Iterator[Sector]:
        """The sectors from ``start`` to ``end``, both sector boundaries, else FlashError."""
        while start < end:
            sector = self.sector_at(start)
            if sector.start != start or sector.end > end:
                raise FlashError("misaligned", "no sector boundary", start)
            yield sector
            start = sector.end

    def padded(self, length: int) -> int:
        """``length`` in whole units of programming."""
        return -(-length // self.write_bytes) * self.write_bytes


def geometry_of(board: Board) -> Geometry:
    """RefusedError for a board whose flash is not described in the catalogue."""
    if board.flash_sector_bytes is None or board.flash_write_bytes is None:
        raise RefusedError(
            "no_geometry",
            f"boards/{board.name}.toml has no flash_sector_bytes and flash_write_bytes",
            "add them",
        )
    sectors = board.flash_bytes // board.flash_sector_bytes
    return Geometry(((sectors, board.flash_sector_bytes),), board.flash_write_bytes)
