"""NOR flash: sectors erase whole, units are programmed once, and the power may go inside either.

A cut inside an operation leaves bits *loose*: those that it was about to change. At the next power-on
they read as the cut shows them, and at each one after that as before the operation, as after it, or each
bit as it pleases, until the sector is erased again. A unit that has been touched cannot be programmed,
even where it reads as erased. Real cells are no worse: what is half-charged may read either way (Tseng,
Grupp and Swanson, "Understanding the Impact of Power Loss on Flash Memory", DAC 2011, for NAND).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from random import Random
from typing import NamedTuple
from weakref import WeakValueDictionary

from firmware_sim.flash_change import AnyChange, Chip, Erased, Left, PoweredOn, Programmed
from firmware_sim.geometry import FlashError, Geometry, Sector
from firmware_sim.power import Cut, Power, PowerCut


class _Content:
    """What one sector holds, up to its last programmed unit; never changed, shared where it is equal."""

    __slots__ = ("__weakref__", "data", "programmed")

    def __init__(self, data: bytes, programmed: int) -> None:
        self.data = data
        self.programmed = programmed


class _Loose(NamedTuple):
    """Bits of one sector that are not reliable; numbers are little-endian sectors."""

    bits: int
    before: int
    shown_until: int


_EMPTY = _Content(b"", 0)
_RELIABLE = _Loose(0, 0, 0)
_shared: WeakValueDictionary[tuple[bytes, int], _Content] = WeakValueDictionary()


class Flash:
    """One chip's flash. Erased sectors take no memory, and equal ones of all chips are kept once."""

    def __init__(self, geometry: Geometry, seed: str = "") -> None:
        """``seed`` decides how loose bits read."""
        self.geometry = geometry
        self.seed = seed
        self.power = Power()
        self.power_ons = 0
        self.faults = 0
        """Violations so far: each raised FlashError as well, but firmware might have caught that."""
        self.erases: dict[int, int] = {}
        """Wear: erases of each sector that was ever erased."""
        self.record: Callable[[AnyChange], None] = lambda _change: None
        """Told of every change, after it."""
        self._contents: dict[int, _Content] = {}
        self._loose: dict[int, _Loose] = {}

    def copy(self) -> Flash:
        """Another chip in the same condition, its power on."""
        other = Flash(self.geometry, self.seed)
        other.power_ons, other.erases = self.power_ons, dict(self.erases)
        other._contents, other._loose = dict(self._contents), dict(self._loose)
        return other

    def power_on(self, power: Power) -> None:
        """Come back, with another supply."""
        self.power = power
        self._change(PoweredOn())

    def read(self, address: int, length: int) -> bytes:
        """Bytes, across sectors; FlashError out of bounds."""
        parts = []
        end = address + length
        while address < end:
            sector = self._sector_at(address)
            stop = min(end, sector.end)
            parts.append(self._full(sector)[address - sector.start : stop - sector.start])
            address = stop
        return b"".join(parts)

    def program(self, address: int, data: bytes) -> None:
        """One operation: whole aligned units of one sector, none of them used since its erase.

        FlashError for anything else; PowerCut when the power goes.
        """
        sector = self._sector_at(address)
        unit = self.geometry.write_bytes
        if address % unit or len(data) % unit or not data:
            raise self._fault("misaligned", f"program of {len(data)} bytes", address)
        if address + len(data) > sector.end:
            raise self._fault("out_of_bounds", f"program of {len(data)} bytes beyond its sector", address)
        if self._contents.get(sector.number, _EMPTY).programmed & self._units(sector, address, len(data)):
            raise self._fault("not_erased", f"program of {len(data)} bytes over others", address)
        cut = self.power.operation()
        if cut is None:
            self._change(Programmed(address, data))
            return
        if cut is not Cut.BEFORE:
            self._tear_program(sector, address, data, cut)
        raise PowerCut

    def erase(self, address: int) -> None:
        """One operation: the sector that starts at ``address``; FlashError when none does."""
        sector = self._sector_at(address)
        if sector.start != address:
            raise self._fault("misaligned", "erase", address)
        cut = self.power.operation()
        if cut is None:
            self._change(Erased(sector.number))
            return
        if cut is not Cut.BEFORE:
            after = bytes([self.geometry.erased]) * sector.length
            erases = self.erases.get(sector.number, 0) + 1
            self._tear(sector, self._full(sector), after, self._all(sector), cut, erases)
        raise PowerCut

    def write(self, address: int, data: bytes) -> None:
        """As many program operations as there are sectors, the last unit filled up with erased bytes."""
        data = data.ljust(self.geometry.padded(len(data)), bytes([self.geometry.erased]))
        while data:
            room = self._sector_at(address).end - address
            self.program(address, data[:room])
            address, data = address + room, data[room:]

    def apply(self, change: AnyChange) -> None:
        """Have a change happen that a file tells of."""
        match change:
            case PoweredOn():
                self.power_ons += 1
                self._settle()
            case Programmed(address, data):
                sector = self.geometry.sector_at(address)
                units = self._units(sector, address, len(data))
                self._set(sector, *self._overlaid(sector, address, data, units))
            case Erased(index):
                self._contents.pop(index, None)
                self._loose.pop(index, None)
                self.erases[index] = self.erases.get(index, 0) + 1
            case Left(index, data, programmed, erases, loose, before, shown_until):
                content = _Content(data, _number(programmed))
                self._contents[index] = _shared.setdefault((content.data, content.programmed), content)
                if loose:
                    self._loose[index] = _Loose(_number(loose), _number(before), shown_until)
                if erases:
                    self.erases[index] = erases
            case Chip(power_ons=power_ons):
                self.power_ons = power_ons

    def changes(self) -> Iterator[AnyChange]:
        """The shortest story that ends in this condition."""
        yield Chip(*self.geometry, self.seed, self.power_ons)
        for index in sorted(self._contents.keys() | self.erases.keys()):
            content, loose = self._contents.get(index, _EMPTY), self._loose.get(index, _RELIABLE)
            yield Left(
                index,
                content.data,
                _bits(content.programmed),
                self.erases.get(index, 0),
                _bits(loose.bits),
                _bits(loose.before),
                loose.shown_until,
            )

    def _change(self, change: AnyChange) -> None:
        self.apply(change)
        self.record(change)

    def _sector_at(self, address: int) -> Sector:
        try:
            return self.geometry.sector_at(address)
        except FlashError:
            self.faults += 1
            raise

    def _fault(self, code: str, what: str, address: int) -> FlashError:
        self.faults += 1
        return FlashError(code, what, address)

    def _full(self, sector: Sector) -> bytes:
        data = self._contents.get(sector.number, _EMPTY).data
        return data.ljust(sector.length, bytes([self.geometry.erased]))

    def _all(self, sector: Sector) -> int:
        return (1 << sector.length // self.geometry.write_bytes) - 1

    def _units(self, sector: Sector, address: int, length: int) -> int:
        unit = self.geometry.write_bytes
        return ((1 << length // unit) - 1) << (address - sector.start) // unit

    def _overlaid(self, sector: Sector, address: int, data: bytes, units: int) -> tuple[bytes, int]:
        old = self._contents.get(sector.number, _EMPTY)
        at = address - sector.start
        before = old.data.ljust(at, bytes([self.geometry.erased]))
        return before[:at] + data + before[at + len(data) :], old.programmed | units

    def _set(self, sector: Sector, data: bytes, programmed: int) -> None:
        content = _Content(data, programmed)
        self._contents[sector.number] = _shared.setdefault((data, programmed), content)

    def _tear_program(self, sector: Sector, address: int, data: bytes, cut: Cut) -> None:
        """Units before the one at which the power went are well, those after it untouched."""
        unit, count = self.geometry.write_bytes, len(data) // self.geometry.write_bytes
        done = {Cut.EARLY: 0, Cut.MIDDLE: count // 2, Cut.LATE: count - 1}[cut] * unit
        units = self._units(sector, address, done + unit)
        after, programmed = self._overlaid(sector, address, data[: done + unit], units)
        after = after.ljust(sector.length, bytes([self.geometry.erased]))
        at = address - sector.start + done
        before = after[:at] + bytes([self.geometry.erased]) * unit + after[at + unit :]
        self._tear(sector, before, after, programmed, cut, self.erases.get(sector.number, 0))

    def _tear(
        self, sector: Sector, before: bytes, after: bytes, programmed: int, cut: Cut, erases: int
    ) -> None:
        earlier = self._loose.get(sector.number, _RELIABLE)
        new = _number(before) ^ _number(after)
        loose = _Loose(
            new | earlier.bits,
            _number(before) & ~earlier.bits | earlier.before & earlier.bits,
            self.power_ons + 1,
        )
        how = {Cut.EARLY: _Draw.BEFORE, Cut.MIDDLE: _Draw.MIXED, Cut.LATE: _Draw.AFTER}[cut]
        rng = self._rng(f"{sector.number}/cut")
        shown = _drawn(before, loose._replace(bits=new), how, rng)
        left = _bits(programmed), erases, _bits(loose.bits), _bits(loose.before), loose.shown_until
        self._change(Left(sector.number, shown, *left))

    def _settle(self) -> None:
        """Loose bits are drawn, except those that a cut of the last power-on shows."""
        for number, loose in self._loose.items():
            if self.power_ons <= loose.shown_until:
                continue
            content = self._contents[number]
            rng = self._rng(str(number))
            length = max(len(content.data), (loose.bits.bit_length() + 7) // 8)
            data = content.data.ljust(length, bytes([self.geometry.erased]))
            data = _drawn(data, loose, rng.choice(list(_Draw)), rng)
            self._contents[number] = _Content(data, content.programmed)

    def _rng(self, what: str) -> Random:
        return Random(f"{self.seed}/{self.power_ons}/{what}")  # noqa: S311 - an imitation of physics


class _Draw(Enum):
    BEFORE = auto()
    AFTER = auto()
    MIXED = auto()


def _drawn(data: bytes, loose: _Loose, how: _Draw, rng: Random) -> bytes:
    """The sector's bytes with its loose bits as they happen to read."""
    flipped = {_Draw.BEFORE: 0, _Draw.AFTER: -1, _Draw.MIXED: rng.getrandbits(8 * len(data))}[how]
    number = _number(data) & ~loose.bits | (loose.before ^ flipped) & loose.bits
    return number.to_bytes(len(data), "little")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _bits(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "little")
