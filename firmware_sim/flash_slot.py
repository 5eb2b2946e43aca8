"""One model slot in flash: the payload from its start, the signed manifest in its last sectors.

Sectors are erased just before they are programmed, in the same boot, for nothing that can be read tells
whether an erase was cut. What is in the slot says the boot record and nothing else, so freeing a slot is
a record and wears no sector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from device_agent.storage import Content
from firmware_sim.boot_record import SlotRecord
from firmware_sim.flash import Flash
from firmware_sim.journal import Bank
from wire.errors import StoreError
from wire.manifest import Manifest, decode_manifest, digest_of, split_payload
from wire.messages import decode, encode
from wire.states import Reason
from wire.trust import Artifact

#: Progress of a download is recorded so many times at most; a cut costs this part of it again.
PROGRESS_STEPS: Final = 8


class FlashSlot:
    """A slot; ``record`` keeps what it holds, in the boot record."""

    def __init__(
        self, flash: Flash, place: Bank, held: SlotRecord, record: Callable[[SlotRecord], None]
    ) -> None:
        self._flash = flash
        self._start, self._length = place
        self._held = held
        self._record = record
        self._payload_bytes = 0
        self._written = 0
        self._skip = 0
        self._tail = b""

    def held_bytes(self, digest: str) -> int:
        """How much of the bundle's payload an interrupted download left."""
        artifact = self._artifact()
        if artifact is None or digest_of(artifact.manifest.encode()) != digest:
            return 0
        return self._held.payload_bytes

    def begin(self, artifact: Artifact, manifest: Manifest) -> int:
        """Prepare for the download; returns the offset to go on from, a multiple of the chunk size.

        StoreError when the slot is too small. What was downloaded under another signature is not used.
        """
        if self._artifact() != artifact or self._held.payload_bytes > manifest.payload_bytes:
            self._start_anew(encode(artifact), manifest)
        self._payload_bytes = manifest.payload_bytes
        self._written = offset = self._held.payload_bytes
        self._tail = b""
        if offset < manifest.payload_bytes:
            offset -= offset % manifest.chunk_bytes
        self._skip = self._written - offset
        return offset

    def append(self, data: bytes) -> None:
        """Add the next piece of the payload; StoreError when that is more than was announced."""
        data, self._skip = data[self._skip :], max(0, self._skip - len(data))
        self._tail += data
        if self._written + len(self._tail) > self._payload_bytes:
            raise StoreError(Reason.STORAGE, f"more than the announced {self._payload_bytes} bytes")
        whole = len(self._tail) - len(self._tail) % self._flash.geometry.write_bytes
        self._program(self._tail[:whole])
        self._tail = self._tail[whole:]

    def finish(self) -> int:
        """Make the downloaded payload durable; returns its length in bytes."""
        if self._held.payload_bytes < self._payload_bytes:
            self._program(self._tail)
            self._tail = b""
            self._keep(self._held._replace(payload_bytes=self._written))
        return self._held.payload_bytes

    def partial(self, digest: str) -> tuple[Artifact, Content]:
        """The downloaded but not yet installed bundle; TrustError when it is not what was signed."""
        artifact = self._artifact()
        if artifact is None or digest_of(artifact.manifest.encode()) != digest:
            raise StoreError(Reason.STORAGE, "the slot holds another bundle", "assign the model again")
        manifest = decode_manifest(artifact.manifest.encode())
        payload = self._flash.read(self._start, self._held.payload_bytes)
        return artifact, Content(manifest, split_payload(manifest, payload))

    def install(self) -> None:
        """Make the verified payload the slot's content; again does nothing."""
        if not self._held.artifact_bytes:
            raise StoreError("slot_empty", "the slot holds no payload to install", "assign the model again")
        if not self._held.installed:
            self._keep(self._held._replace(installed=1))

    def load(self, digest: str) -> Content:
        """The installed bundle ``digest``; StoreError or TrustError when that is not what is there."""
        if not self._held.installed:
            raise StoreError(Reason.STORAGE, "the slot holds no model", "assign the model again")
        return self.partial(digest)[1]

    def erase(self) -> None:
        """Free the slot."""
        if self._held != SlotRecord():
            self._keep(SlotRecord())

    def _start_anew(self, artifact: bytes, manifest: Manifest) -> None:
        self.erase()
        place = self._artifact_at(len(artifact))
        end = self._start + manifest.payload_bytes
        if not manifest.payload_bytes or self._flash.geometry.sector_at(end - 1).end > place:
            room = max(0, place - self._start)
            raise StoreError(
                Reason.STORAGE, f"{manifest.payload_bytes} bytes of payload, {room} fit", "shrink the model"
            )
        for sector in self._flash.geometry.sectors(place, self._start + self._length):
            self._flash.erase(sector.start)
        self._flash.write(place, artifact)
        self._keep(SlotRecord(artifact_bytes=len(artifact)))

    def _program(self, data: bytes) -> None:
        """Program on, erasing each sector as it is reached, and record the progress now and then."""
        step = self._payload_bytes // PROGRESS_STEPS
        while data:
            address = self._start + self._written
            sector = self._flash.geometry.sector_at(address)
            if address == sector.start:
                self._flash.erase(address)
            room = sector.end - address
            self._flash.write(address, data[:room])
            self._written += len(data[:room])
            data = data[room:]
            complete = self._start + self._written == sector.end
            if complete and self._written - self._held.payload_bytes >= step:
                self._keep(self._held._replace(payload_bytes=self._written))

    def _keep(self, held: SlotRecord) -> None:
        self._record(held)
        self._held = held

    def _artifact(self) -> Artifact | None:
        length = self._held.artifact_bytes
        if not length:
            return None
        return decode(Artifact, self._flash.read(self._artifact_at(length), length))

    def _artifact_at(self, length: int) -> int:
        """Start of the sector that lies ``length`` bytes before the slot's end."""
        if length > self._length:
            return self._start
        return self._flash.geometry.sector_at(self._start + self._length - length).start
