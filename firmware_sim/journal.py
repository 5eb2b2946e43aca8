"""The journal: the last record that was completely written, wherever the power goes.

Records are whole snapshots in three or more *banks* of sectors, so that none ever has to be copied.
A record that a cut left may read well at one boot and badly at the next. So nothing may be done on the
strength of what a boot reads before that boot's first record is complete, and that record

* goes into a freshly erased bank, never behind what may be torn;
* spares the bank of the record it follows, and the bank of the newest record that is *surely* complete
  (each record names that one: a record before it in the same boot, or whatever its predecessor named);
* is followed by an erase of every bank in which nothing can be read now but something might be later.

Records of one bank are of one boot, so within a bank only the last can be torn.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from firmware_sim.flash import Flash
from wire.errors import StoreError

_MAGIC: Final = b"tfj1"
_HEADER: Final = struct.Struct("<4sIIII")
"""Magic, generation of the bank, generation of the surely complete record, length of the data, CRC-32
of these three and the data."""
#: A bank's record at least.
MIN_BANK_BYTES: Final = 4096
MIN_BANKS: Final = 3


class Bank(NamedTuple):
    """Consecutive sectors."""

    start: int
    length: int


class _Record(NamedTuple):
    bank: int
    generation: int
    sure: int
    data: bytes
    end: int
    """Address of the next record."""


class Journal:
    """One boot's view; ``last`` is what it finds, then what it appended."""

    def __init__(self, flash: Flash, banks: Sequence[Bank]) -> None:
        self._flash = flash
        self._banks = banks
        newest = [self._newest(index) for index in range(len(banks))]
        self._generations = [0 if record is None else record.generation for record in newest]
        self._newest_record = max(
            (record for record in newest if record is not None), key=lambda r: r.generation, default=None
        )
        self._settled = False

    @property
    def last(self) -> bytes | None:
        """The newest record; None when there never was one."""
        return None if self._newest_record is None else self._newest_record.data

    def append(self, data: bytes) -> None:
        """Return when ``data`` is the newest record for good; StoreError when no bank has room for it."""
        size = self._flash.geometry.padded(_HEADER.size + len(data))
        last = self._newest_record
        if last is None or not self._settled:
            self._open_bank(last, size, data)
            self._clean()
            self._settled = True
        elif last.end + size > self._end(last.bank):
            self._open_bank(last._replace(sure=last.generation), size, data)
        else:
            self._put(last.bank, last.end, last.generation, last.generation, data)

    def _open_bank(self, last: _Record | None, size: int, data: bytes) -> None:
        """Write into another bank, of a higher generation than any that can be read."""
        free = [
            index
            for index, generation in enumerate(self._generations)
            if last is None or (index != last.bank and generation != last.sure)
        ]
        bank = min(free, key=lambda index: self._generations[index])
        if size > self._banks[bank].length:
            limit = self._banks[bank].length
            raise StoreError("oversize", f"a record of {len(data)} bytes, {limit} fit", "shorten its detail")
        generation = 1 if last is None else last.generation + 1
        self._erase(bank)
        sure = generation if last is None else last.sure
        self._put(bank, self._banks[bank].start, generation, sure, data)

    def _clean(self) -> None:
        for bank, generation in enumerate(self._generations):
            if not generation:
                self._erase(bank)

    def _put(self, bank: int, address: int, generation: int, sure: int, data: bytes) -> None:
        crc = zlib.crc32(data, zlib.crc32(struct.pack("<III", generation, sure, len(data))))
        self._flash.write(address, _HEADER.pack(_MAGIC, generation, sure, len(data), crc) + data)
        end = address + self._flash.geometry.padded(_HEADER.size + len(data))
        self._generations[bank] = generation
        self._newest_record = _Record(bank, generation, sure, data, end)

    def _erase(self, bank: int) -> None:
        start, length = self._banks[bank]
        self._generations[bank] = 0
        for sector in self._flash.geometry.sectors(start, start + length):
            self._flash.erase(sector.start)

    def _end(self, bank: int) -> int:
        return self._banks[bank].start + self._banks[bank].length

    def _newest(self, bank: int) -> _Record | None:
        newest = None
        for record in self._records(bank):
            newest = record
        return newest

    def _records(self, bank: int) -> Iterator[_Record]:
        """From the bank's start, until something is none or is of another generation."""
        address, end = self._banks[bank].start, self._end(bank)
        first = None
        while address + _HEADER.size <= end:
            magic, generation, sure, length, crc = _HEADER.unpack(self._flash.read(address, _HEADER.size))
            body = address + _HEADER.size
            if magic != _MAGIC or body + length > end or first not in (None, generation):
                return
            data = self._flash.read(body, length)
            if zlib.crc32(data, zlib.crc32(struct.pack("<III", generation, sure, length))) != crc:
                return
            first = generation
            address += self._flash.geometry.padded(_HEADER.size + length)
            yield _Record(bank, generation, sure, data, address)
