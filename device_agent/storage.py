"""What a device needs of its storage: folders and files on Linux, flash on a microcontroller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from device_agent.update_state import State
from wire.manifest import Manifest
from wire.messages import SlotName
from wire.trust import Artifact


class Content(NamedTuple):
    """A bundle as it lies in a slot, every file checked against the manifest."""

    manifest: Manifest
    files: dict[str, bytes]


class ModelSlot(Protocol):
    """Room for one bundle; only the content's digest decides whether it may be used."""

    def held_bytes(self, digest: str) -> int:
        """How much of the bundle's payload an interrupted download left."""

    def begin(self, artifact: Artifact, manifest: Manifest) -> int:
        """Prepare for the download; returns the offset to go on from, a multiple of the chunk size."""

    def append(self, data: bytes) -> None:
        """Add the next piece of the payload."""

    def finish(self) -> int:
        """Make the downloaded payload durable; returns its length in bytes."""

    def partial(self, digest: str) -> tuple[Artifact, Content]:
        """The downloaded but not yet installed bundle; TrustError when it is not what was signed."""

    def install(self) -> None:
        """Make the verified payload the slot's content; again does nothing."""

    def load(self, digest: str) -> Content:
        """The installed bundle ``digest``; StoreError or TrustError when that is not what is there."""

    def erase(self) -> None:
        """Free the slot."""


class Storage(Protocol):
    """What survives a restart."""

    def slot(self, name: SlotName) -> ModelSlot:
        """One of the two slots."""

    def load(self) -> State:
        """The state as last saved; a new device's when there is none."""

    def save(self, state: State) -> None:
        """Persist the state, atomically."""

    def next_boot(self) -> int:
        """Count this boot, from 1."""

    def free_bytes(self) -> int:
        """Space for a download, beyond what the device keeps for itself."""


class Entry(NamedTuple):
    """One waiting message."""

    id: int
    payload: bytes
    historical: bool
    """Whether it had to wait for the server or the link."""


class MessageQueue(Protocol):
    """Telemetry that waits for its PUBACK: first in, first out, and the oldest make room."""

    dropped: int
    """How many had to, since the boot."""

    def add(self, payload: bytes, historical: bool) -> None:
        """Keep ``payload`` until it is removed or has to make room."""

    def oldest(self, limit: int) -> list[Entry]:
        """The first entries in the order in which they were added."""

    def remove(self, ids: Iterable[int]) -> None:
        """Forget entries that the broker acknowledged."""

    def mark_historical(self) -> None:
        """Everything still here has to wait for the server or the link."""

    def close(self) -> None:
        """No more is added."""
