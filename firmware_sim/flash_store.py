"""What a microcontroller keeps: two slots and the journal with boot record and update state."""

from __future__ import annotations

from functools import partial

import msgspec

from device_agent.update_state import State
from firmware_sim.boot_record import BOOT_RECORD_BYTES, BootRecord, SlotRecord, decode_boot_record
from firmware_sim.flash import Flash
from firmware_sim.flash_slot import FlashSlot
from firmware_sim.journal import Journal
from firmware_sim.partitions import Partitions
from wire.errors import StoreError
from wire.messages import SlotName


class FlashStore:
    """The persistent side of one device, from one boot to the next."""

    def __init__(self, flash: Flash, partitions: Partitions) -> None:
        """Boot: what the last boot left becomes durable, and is counted as the next.

        StoreError when there is no journal, or one that cannot be understood.
        """
        self._journal = Journal(flash, partitions.journal)
        data = self._journal.last
        if data is None:
            raise StoreError("bad_state", "there is no journal", "provision the device again")
        self._boot = decode_boot_record(data)
        self._state = _state_of(data)
        self._slot_bytes = min(partitions.a.length, partitions.b.length)
        self._slots = {
            "a": FlashSlot(flash, partitions.a, self._boot.a, partial(self._put, "a")),
            "b": FlashSlot(flash, partitions.b, self._boot.b, partial(self._put, "b")),
        }
        self._append(self._boot._replace(boots=self._boot.boots + 1), self._state)

    def slot(self, name: SlotName) -> FlashSlot:
        """One of the two slots."""
        return self._slots[name]

    def load(self) -> State:
        """The state as last saved."""
        return self._state

    def save(self, state: State) -> None:
        """Persist the state, and with it what boots, atomically."""
        self._append(self._boot._replace(confirmed=state.confirmed), state)

    def next_boot(self) -> int:
        """The count that this boot has made durable, from 1."""
        return self._boot.boots

    def free_bytes(self) -> int:
        """A slot is all there is for a download; it says itself when the manifest leaves too little."""
        return self._slot_bytes

    def _put(self, name: SlotName, slot: SlotRecord) -> None:
        self._append(self._boot.put(name, slot), self._state)

    def _append(self, boot: BootRecord, state: State) -> None:
        self._journal.append(boot.encode() + msgspec.json.encode(state))
        self._boot, self._state = boot, state


def provision(flash: Flash, partitions: Partitions) -> None:
    """What the factory does once: the first record, without which no device boots."""
    Journal(flash, partitions.journal).append(BootRecord().encode() + msgspec.json.encode(State()))


def _state_of(data: bytes) -> State:
    try:
        return msgspec.json.decode(data[BOOT_RECORD_BYTES:], type=State)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(
            "bad_state", f"the journal is damaged: {str(error)[:120]}", "provision the device again"
        ) from error
