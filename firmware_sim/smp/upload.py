"""An image that arrives in pieces: in order, each acknowledged by the offset that is wanted next.

The same first piece (SHA-256 and length) again goes on where the upload stopped, as in Zephyr.
"""

from __future__ import annotations

import hashlib

from firmware_sim.smp.slots import Slots
from wire.limits import MAX_BUNDLE_BYTES


class Upload:
    """Into one slot, from its erasure to the last byte."""

    def __init__(self, slots: Slots, slot: int, length: int, sha256: bytes | None) -> None:
        assert length <= min(slots.slot_bytes, MAX_BUNDLE_BYTES)  # noqa: S101 - the caller has refused more
        self.slot = slot
        self.length = length
        self.sha256 = sha256
        self.offset = 0
        self._slots = slots
        self._programmed = 0
        self._rest = b""
        self._hash = hashlib.sha256()
        slots.erase(slot)

    @property
    def complete(self) -> bool:
        """Whether all of it is in flash."""
        return self.offset == self.length

    @property
    def matches(self) -> bool | None:
        """Whether the whole is what the client announced; None if it announced nothing."""
        return None if self.sha256 is None else self._hash.digest() == self.sha256

    def take(self, offset: int, data: bytes) -> None:
        """A piece; one that is not wanted next is left out. It may not go past the end."""
        if offset != self.offset or not data:
            return
        self.offset += len(data)
        self._hash.update(data)
        self._rest += data
        # Flash takes whole words; what is left waits for the next piece.
        whole = len(self._rest) - len(self._rest) % self._slots.word_bytes
        if self.complete:
            whole = len(self._rest)
        self._slots.program(self.slot, self._programmed, self._rest[:whole])
        self._programmed += whole
        self._rest = self._rest[whole:]
