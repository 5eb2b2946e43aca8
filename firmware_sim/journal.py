"""The journal: the last record that was completely written, wherever and how often the power goes.

Records are whole snapshots in four *banks* of sectors, so none ever has to be copied to collect garbage.
The difficulty is what a cut leaves: a record may read well at one boot and badly at the next, and no
reading tells. So whatever a boot finds, it first writes again, and acts only when that is complete:

* into a freshly erased bank, for behind what may be torn nothing can be programmed;
* followed by a *mark*: whoever sees it knows that the record before it is complete, even when the mark
  itself was torn; and who does not see it knows that nobody has acted on that bank;
* with the generation of the bank that the writer knew to begin with a complete record: its *surety*.

The newest bank counts. The one to be erased next is neither that, nor its surety, nor the surety of that
one: whatever turns out to be torn, what is left is what somebody may have acted on. Last, banks in which
nothing can be read are erased, for something might be later. Within a bank only the last record can be
torn, since all are of one boot.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from firmware_sim.flash import Flash
from wire.errors import StoreError

_RECORD: Final = b"tfjr"
_MARK: Final = b"tfjm"
_HEADER: Final = struct.Struct("<4sIIII")
"""Kind, generation of the bank, generation of its surety, length of the data, CRC-32 of all that."""
MIN_BANKS: Final = 4
#: Room for the longest state, the bank's mark, and a few states more.
MIN_BANK_BYTES: Final = 4096


class Bank(NamedTuple):
    """Consecutive sectors."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """Address behind it."""
        return self.start + self.length


class _Found(NamedTuple):
    """What can be read in a bank."""

    bank: int
    generation: int
    surety: int
    marked: bool
    data: bytes
    """Of its last record."""
    end: int
    """Address behind that."""


class Journal:
    """One boot's view; ``last`` is what it finds, then what it appended."""

    def __init__(self, flash: Flash, banks: Sequence[Bank]) -> None:
        self._flash = flash
        self._banks = banks
        found = (self._read(index) for index in range(len(banks)))
        self._found = {each.bank: each for each in found if each is not None}
        self._current = max(self._found.values(), key=lambda each: each.generation, default=None)
        self._settled = False

    @property
    def last(self) -> bytes | None:
        """The newest record; None when there never was one."""
        return None if self._current is None else self._current.data

    def append(self, data: bytes) -> None:
        """Return when ``data`` is the newest record for good; StoreError when no bank has room for it.

        Nothing may be done on the strength of ``last`` before the first append of a boot has returned.
        """
        size = self._padded(len(data))
        current = self._current
        if current is not None and self._settled and current.end + size <= self._banks[current.bank].end:
            end = self._put(current.end, _RECORD, current, data)
            self._set(current._replace(data=data, end=end))
            return
        self._open_bank(data)
        if not self._settled:
            for bank in set(range(len(self._banks))) - set(self._found):
                self._erase(bank)
            self._settled = True

    def _open_bank(self, data: bytes) -> None:
        current = self._current
        room = min(bank.length for bank in self._banks) - self._padded(0)
        if self._padded(len(data)) > room:
            raise StoreError("oversize", f"a record of {len(data)} bytes, {room} fit", "shorten its detail")
        surety = 0
        if current is not None:
            surety = current.generation if current.marked else current.surety
        bank = self._expendable()
        generation = self._next_generation(bank)
        self._erase(bank)
        opened = _Found(bank, generation, surety, True, data, self._banks[bank].start)
        marked = self._put(self._put(opened.end, _RECORD, opened, data), _MARK, opened, b"")
        self._set(opened._replace(end=marked))

    def _expendable(self) -> int:
        """Of the banks that nobody can need, one in which nothing can be read, or else the oldest."""
        generations = {each.generation: each for each in self._found.values()}
        needed: list[int] = []
        link = self._current
        while link is not None and len(needed) < MIN_BANKS - 1:
            needed.append(link.bank)
            link = generations.get(link.surety)
        free = set(range(len(self._banks))) - set(needed)
        return min(free, key=lambda bank: self._found[bank].generation if bank in self._found else 0)

    def _next_generation(self, bank: int) -> int:
        """Higher than any that can be read; its remainder is the bank, so no two banks ever have the same."""
        newest = max((each.generation for each in self._found.values()), default=0)
        count = len(self._banks)
        return (newest // count + 1) * count + bank

    def _set(self, current: _Found) -> None:
        self._current = self._found[current.bank] = current

    def _padded(self, length: int) -> int:
        return self._flash.geometry.padded(_HEADER.size + length)

    def _put(self, address: int, kind: bytes, bank: _Found, data: bytes) -> int:
        """Program one record; returns where the next one goes."""
        fields = kind, bank.generation, bank.surety, len(data)
        self._flash.write(address, _HEADER.pack(*fields, _crc(*fields, data)) + data)
        return address + self._padded(len(data))

    def _erase(self, bank: int) -> None:
        self._found.pop(bank, None)
        for sector in self._flash.geometry.sectors(self._banks[bank].start, self._banks[bank].end):
            self._flash.erase(sector.start)

    def _read(self, bank: int) -> _Found | None:
        """A record, the mark, and records until there is none or one of another generation."""
        found = None
        for kind, generation, surety, data, end in self._records(bank):
            if found is None:
                if kind == _RECORD:
                    found = _Found(bank, generation, surety, False, data, end)
                    continue
                return None
            if generation != found.generation or (kind == _MARK) is found.marked:
                break
            found = found._replace(end=end, marked=True, data=found.data if kind == _MARK else data)
        return found

    def _records(self, bank: int) -> Iterator[tuple[bytes, int, int, bytes, int]]:
        address, end = self._banks[bank].start, self._banks[bank].end
        while address + _HEADER.size <= end:
            head = self._flash.read(address, _HEADER.size)
            kind, generation, surety, length, crc = _HEADER.unpack(head)
            body = address + _HEADER.size
            if kind not in (_RECORD, _MARK) or body + length > end:
                return
            data = self._flash.read(body, length)
            if _crc(kind, generation, surety, length, data) != crc:
                return
            address += self._padded(length)
            yield kind, generation, surety, data, address


def _crc(kind: bytes, generation: int, surety: int, length: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(struct.pack("<4sIII", kind, generation, surety, length)))
