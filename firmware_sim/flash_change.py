"""What can happen to a flash chip: data only, so that a file of it can be played again."""

from __future__ import annotations

import msgspec


class Change(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all changes."""


class Chip(Change, frozen=True):
    """Which chip this is, first in every file."""

    regions: tuple[tuple[int, int], ...]
    write_bytes: int
    erased: int
    seed: str
    power_ons: int


class PoweredOn(Change, frozen=True):
    """The power came; unreliable cells read anew."""


class Programmed(Change, frozen=True):
    """Units were programmed, all of them well."""

    address: int
    data: bytes


class Erased(Change, frozen=True):
    """A sector was erased, well."""

    sector: int


class Left(Change, frozen=True):
    """A sector as a cut left it, or as it was when the file was written anew."""

    sector: int
    data: bytes
    """From the sector's start; what follows is erased."""
    programmed: bytes
    """A bit for each unit that needs an erase before it can be programmed, little-endian."""
    erases: int
    loose: bytes = b""
    """A bit for each bit of the sector that is not reliable, little-endian."""
    before: bytes = b""
    """The sector as it was before the cut operation: what loose bits may read as, or the opposite."""
    shown_until: int = 0
    """Number of the last power-on of which the loose bits read as in ``data``."""


AnyChange = Chip | PoweredOn | Programmed | Erased | Left
