"""Where the two images and the boot record are: in the board's flash, each operation of which may be cut."""

from __future__ import annotations

from typing import Final

import msgspec

from boards import Board
from firmware_sim.flash import Flash
from firmware_sim.journal import Journal
from firmware_sim.partitions import partitions_of
from firmware_sim.smp.boot import BootRecord


class Slots:
    """A chip's flash; the boot record is a journal's, so that a cut leaves the old one or the new one."""

    def __init__(self, board: Board, flash: Flash | None = None) -> None:
        geometry, places = partitions_of(board)
        self.flash: Final = flash or Flash(geometry, seed=board.name)
        self.slot_bytes = board.slot_bytes
        self.word_bytes = geometry.write_bytes
        self._places = (places.a, places.b)
        self._banks = places.journal
        self.boot()

    def boot(self) -> None:
        """Read the boot record. The journal wants it set, even to itself, before anybody acts on it."""
        self._journal = Journal(self.flash, self._banks)
        kept = self._journal.last
        self._record = BootRecord() if kept is None else msgspec.msgpack.decode(kept, type=BootRecord)

    @property
    def record(self) -> BootRecord:
        """What is kept besides the images."""
        return self._record

    @record.setter
    def record(self, record: BootRecord) -> None:
        self._journal.append(msgspec.msgpack.encode(record))
        self._record = record

    def read(self, slot: int) -> bytes:
        """All of a slot."""
        return self.flash.read(*self._places[slot])

    def erase(self, slot: int) -> None:
        """A whole slot."""
        place = self._places[slot]
        for sector in self.flash.geometry.sectors(place.start, place.end):
            self.flash.erase(sector.start)

    def program(self, slot: int, offset: int, data: bytes) -> None:
        """Whole words; FlashError for what is not aligned or not erased."""
        if data:
            self.flash.write(self._places[slot].start + offset, data)
