"""The flash of one device in one file, so that a killed simulation finds each device as it was.

Every change is appended as it happens; the file is written anew, as short as it can be, when it is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from device_agent.disk import Disk
from firmware_sim.flash import Flash
from firmware_sim.flash_change import AnyChange, Chip
from firmware_sim.geometry import Geometry
from wire.errors import FleetError, StoreError

_MAX_BYTES: Final = 256 * 1024 * 1024
_LENGTH_BYTES: Final = 4
_CHANGES: Final = msgspec.msgpack.Decoder(AnyChange)


class FlashFile:
    """Keeps the story of a flash; the host's own crash is not simulated, so nothing is synced."""

    def __init__(self, file: Path, geometry: Geometry, seed: str) -> None:
        """A new flash when there is no file; StoreError for a file of another chip, or of none."""
        self._file = file
        self._disk = Disk(durable=False)
        self.flash = Flash(geometry, seed)
        data = self._disk.read(file, _MAX_BYTES)
        self.is_new = data is None
        if data is not None:
            self._replay(data)
        self._disk.replace(file, b"".join(map(_framed, self.flash.changes())))
        self.flash.record = self._append

    def _append(self, change: AnyChange) -> None:
        self._disk.append(self._file, _framed(change))

    def _replay(self, data: bytes) -> None:
        flash = self.flash
        try:
            changes = _changes(data)
            chip = next(changes, None)
            if not isinstance(chip, Chip) or not _fits(flash, chip):
                raise StoreError("other_chip", f"{self._file} is another chip's", "use another --state")
            for change in (chip, *changes):
                flash.apply(change)
        except (msgspec.MsgspecError, FleetError) as error:
            if isinstance(error, StoreError) and error.code == "other_chip":
                raise
            raise StoreError("bad_flash", f"{self._file} is damaged: {error}", "remove it") from error


def _fits(flash: Flash, chip: Chip) -> bool:
    return (Geometry(chip.regions, chip.write_bytes, chip.erased), chip.seed) == (flash.geometry, flash.seed)


def _framed(change: AnyChange) -> bytes:
    data = msgspec.msgpack.encode(change)
    return len(data).to_bytes(_LENGTH_BYTES, "little") + data


def _changes(data: bytes) -> Iterator[AnyChange]:
    """All complete ones: what a killed process was writing last never happened."""
    at = 0
    while at + _LENGTH_BYTES <= len(data):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "little")
        if at <= len(data):
            yield _CHANGES.decode(data[start:at])
