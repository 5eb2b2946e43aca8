"""The boot record: what the boot code must know before anything else, in 32 bytes.

It is the start of every journal record, so it and the update's state can never contradict each other.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from wire.errors import StoreError
from wire.messages import SlotName

_FORMAT: Final = struct.Struct("<IB3xIIIIII")
BOOT_RECORD_BYTES: Final = _FORMAT.size
_NAMES: Final[tuple[SlotName | None, ...]] = (None, "a", "b")


class SlotRecord(NamedTuple):
    """What one slot holds; all zero when it is free."""

    artifact_bytes: int = 0
    """Signed manifest, in the slot's last sectors."""
    payload_bytes: int = 0
    """Completely programmed from the slot's start; while it is downloaded, a sector boundary."""
    installed: int = 0
    """1 when the payload was verified."""


class BootRecord(NamedTuple):
    """How a boot finds the device; little-endian words in this order."""

    boots: int = 0
    confirmed: SlotName | None = None
    """The slot that answers; one byte: 0, 1 for a, 2 for b, then three that are zero."""
    a: SlotRecord = SlotRecord()
    b: SlotRecord = SlotRecord()

    def slot(self, name: SlotName) -> SlotRecord:
        """What a slot holds."""
        return self.a if name == "a" else self.b

    def put(self, name: SlotName, slot: SlotRecord) -> BootRecord:
        """This, with the record of one slot changed."""
        return self._replace(a=slot) if name == "a" else self._replace(b=slot)

    def encode(self) -> bytes:
        """The 32 bytes."""
        return _FORMAT.pack(self.boots, _NAMES.index(self.confirmed), *self.a, *self.b)


def decode_boot_record(data: bytes) -> BootRecord:
    """From the start of a journal record, StoreError when that is no boot record."""
    if len(data) < BOOT_RECORD_BYTES or data[4] >= len(_NAMES):
        raise StoreError("bad_state", "the boot record is damaged", "provision the device again")
    boots, confirmed, *words = _FORMAT.unpack_from(data)
    return BootRecord(boots, _NAMES[confirmed], SlotRecord(*words[:3]), SlotRecord(*words[3:]))
