"""What a device keeps: its update state, its boot counter and two slots, below one directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from device_agent.disk import Disk
from device_agent.slot import Slot
from device_agent.update_state import State
from wire.errors import StoreError
from wire.messages import SlotName

_MAX_STATE_BYTES: Final = 64 * 1024
_MAX_COUNTER_BYTES: Final = 20
#: Space that a download leaves free, for the state and the outbox.
_RESERVE_BYTES: Final = 256 * 1024


class Store:
    """The persistent side of one device."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.directory = directory
        self._disk = disk
        self._slots: dict[SlotName, Slot] = {
            "a": Slot(directory / "slots" / "a", disk),
            "b": Slot(directory / "slots" / "b", disk),
        }

    def slot(self, name: SlotName) -> Slot:
        """One of the two slots."""
        return self._slots[name]

    def load(self) -> State:
        """The state as last saved; a new device's when there is none."""
        data = self._disk.read(self._state_file, _MAX_STATE_BYTES)
        if data is None:
            return State()
        try:
            return msgspec.json.decode(data, type=State)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StoreError(
                "bad_state",
                f"{self._state_file} is damaged: {str(error)[:120]}",
                "provision the device again",
            ) from error

    def save(self, state: State) -> None:
        """Persist the state, atomically."""
        self._disk.replace(self._state_file, msgspec.json.encode(state))

    def next_boot(self) -> int:
        """Count this boot, from 1."""
        file = self.directory / "boots"
        data = self._disk.read(file, _MAX_COUNTER_BYTES) or b"0"
        boots = (int(data) if data.isdigit() else 0) + 1
        self._disk.replace(file, str(boots).encode())
        return boots

    def free_bytes(self) -> int:
        """Space that is left for a download."""
        return max(0, self._disk.free_bytes(self.directory) - _RESERVE_BYTES)

    @property
    def _state_file(self) -> Path:
        return self.directory / "state.json"
