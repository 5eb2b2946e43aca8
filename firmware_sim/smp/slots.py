"""Where the two images and the boot record are: flash, whose bytes are programmed once after an erase."""

from __future__ import annotations

from typing import Final, Protocol

from firmware_sim.smp.boot import BootRecord
from wire.errors import StoreError

_ERASED: Final = b"\xff"


class Slots(Protocol):
    """Two slots of equal size, 0 and 1."""

    slot_bytes: int
    word_bytes: int
    """Programs begin and end at multiples of it."""
    record: BootRecord

    def read(self, slot: int) -> bytes:
        """All of a slot."""
        ...

    def erase(self, slot: int) -> None:
        """A whole slot."""
        ...

    def program(self, slot: int, offset: int, data: bytes) -> None:
        """StoreError for what is not aligned or not erased."""
        ...


class RamSlots:
    """Kept as long as the process."""

    def __init__(self, slot_bytes: int, word_bytes: int = 8) -> None:
        self.slot_bytes = slot_bytes
        self.word_bytes = word_bytes
        self.record = BootRecord()
        self._cells = [bytearray(_ERASED * slot_bytes), bytearray(_ERASED * slot_bytes)]

    def read(self, slot: int) -> bytes:
        """All of a slot."""
        return bytes(self._cells[slot])

    def erase(self, slot: int) -> None:
        """A whole slot."""
        self._cells[slot][:] = _ERASED * self.slot_bytes

    def program(self, slot: int, offset: int, data: bytes) -> None:
        """StoreError for what is not aligned or not erased."""
        end = offset + len(data)
        aligned = not offset % self.word_bytes and not len(data) % self.word_bytes
        if not aligned or end > self.slot_bytes or self._cells[slot][offset:end].strip(_ERASED):
            raise StoreError("flash", f"cannot program {len(data)} bytes at {offset}", "erase the slot first")
        self._cells[slot][offset:end] = data
