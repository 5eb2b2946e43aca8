"""One model slot: a directory with the signed manifest and the payload, partial or complete.

``artifact.json`` names the bundle; ``payload.part`` grows during the download and is renamed to
``payload.bin`` by the installation, so that a slot never needs space for two payloads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from device_agent.disk import Disk
from device_agent.storage import Content
from wire.errors import StoreError
from wire.limits import MAX_BUNDLE_BYTES, MAX_PAYLOAD_BYTES
from wire.manifest import Manifest, decode_manifest, digest_of, split_payload
from wire.messages import decode, encode
from wire.states import Reason
from wire.trust import Artifact

#: The partial payload is synced each time it grew by this much, and at its end.
SYNC_EVERY_BYTES: Final = 256 * 1024


class Slot:
    """The files of one slot; only the content's digest decides whether they may be used."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._disk = disk
        self._artifact = directory / "artifact.json"
        self._part = directory / "payload.part"
        self._payload = directory / "payload.bin"

    def held_bytes(self, digest: str) -> int:
        """How much of the bundle's payload an interrupted download left."""
        artifact = self._read_artifact()
        if artifact is None or digest_of(artifact.manifest.encode()) != digest:
            return 0
        return self._disk.size_bytes(self._part) or 0

    def begin(self, artifact: Artifact, manifest: Manifest) -> int:
        """Prepare for the download; returns the offset to go on from, a multiple of the chunk size."""
        held = self.held_bytes(digest_of(artifact.manifest.encode()))
        held = min(held, manifest.payload_bytes)
        if held < manifest.payload_bytes:
            held -= held % manifest.chunk_bytes
        if held:
            self._disk.truncate(self._part, held)
        else:
            self.erase()
        self._disk.replace(self._artifact, encode(artifact))
        return held

    def append(self, data: bytes) -> None:
        """Add the next piece of the payload."""
        before = self._disk.size_bytes(self._part) or 0
        self._disk.append(self._part, data)
        if before // SYNC_EVERY_BYTES != (before + len(data)) // SYNC_EVERY_BYTES:
            self._disk.sync(self._part)

    def finish(self) -> int:
        """Make the downloaded payload durable; returns its length in bytes."""
        if self._disk.size_bytes(self._part) is None:
            self._disk.append(self._part, b"")
        self._disk.sync(self._part)
        return self._disk.size_bytes(self._part) or 0

    def partial(self, digest: str) -> tuple[Artifact, Content]:
        """The downloaded but not yet installed bundle; TrustError when it is not what was signed."""
        return self._load(digest, self._part, self._payload)

    def install(self) -> None:
        """Give the verified payload its final name; again does nothing."""
        if self._disk.size_bytes(self._part) is not None:
            self._disk.rename(self._part, self._payload)
        elif self._disk.size_bytes(self._payload) is None:
            raise StoreError("slot_empty", "the slot holds no payload to install", "assign the model again")

    def load(self, digest: str) -> Content:
        """The installed bundle ``digest``; StoreError or TrustError when that is not what is there."""
        return self._load(digest, self._payload)[1]

    def erase(self) -> None:
        """Free the slot's space."""
        self._disk.remove(self._payload, self._part, self._artifact)

    def _load(self, digest: str, *payloads: Path) -> tuple[Artifact, Content]:
        artifact = self._read_artifact()
        if artifact is None or digest_of(artifact.manifest.encode()) != digest:
            raise StoreError(Reason.STORAGE, "the slot holds another bundle", "assign the model again")
        manifest = decode_manifest(artifact.manifest.encode())
        data = next((d for p in payloads if (d := self._disk.read(p, MAX_BUNDLE_BYTES)) is not None), None)
        if data is None:
            raise StoreError(Reason.STORAGE, "the slot's payload is missing", "assign the model again")
        return artifact, Content(manifest, split_payload(manifest, data))

    def _read_artifact(self) -> Artifact | None:
        data = self._disk.read(self._artifact, MAX_PAYLOAD_BYTES)
        return None if data is None else decode(Artifact, data)
