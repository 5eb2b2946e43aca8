"""Whether a version fits a device, as the server knows both: asked before the device is told anything."""

from __future__ import annotations

import msgspec
from sqlite_utils import Database

from fleet_server.store import Row, first
from wire.errors import FleetError, NotFoundError
from wire.fit import check_schema
from wire.manifest import Manifest, decode_manifest
from wire.messages import Hardware
from wire.part import check_fits

#: SQL of all that an answer depends on, besides the version: it is asked again when this changes.
EXAMINED = "ifnull(d.hardware, '') || ifnull(d.digest, '')"


class Refusal(msgspec.Struct, frozen=True):
    """Why a device is not told."""

    reason: str
    message: str


class Fitting:
    """Answers for one version, each kind of hardware and running version once."""

    def __init__(self, db: Database, digest: str, schema_change: bool) -> None:
        self._db = db
        self.digest = digest
        self.manifest = manifest_of(db, digest)
        self._schema_change = schema_change
        self._answers: dict[tuple[str, str | None], Refusal | None] = {}
        self._running: dict[str, Manifest | None] = {}

    def examine(self, device: Row) -> Refusal | None:
        """None when the version fits; ``device`` is a row of the table of devices."""
        key = (device["hardware"], device["digest"])
        if key not in self._answers:
            self._answers[key] = self._examine(*key)
        return self._answers[key]

    def knows(self, digest: str | None) -> bool:
        """Whether the registry holds what a device runs, so that it can be given back."""
        return digest is not None and self._manifest(digest) is not None

    def _examine(self, hardware: str, running: str | None) -> Refusal | None:
        try:
            check_fits(self.manifest, msgspec.json.decode(hardware, type=Hardware))
            old = None if running is None else self._manifest(running)
            if old is not None and not self._schema_change:
                check_schema(old, self.manifest)
        except FleetError as error:
            return Refusal(error.code, error.message)
        return None

    def _manifest(self, digest: str) -> Manifest | None:
        if digest not in self._running:
            row = first(self._db, "SELECT manifest FROM versions WHERE digest = ?", (digest,))
            self._running[digest] = None if row is None else decode_manifest(row["manifest"].encode())
        return self._running[digest]


def manifest_of(db: Database, digest: str) -> Manifest:
    """The manifest of a bundle; NotFoundError when the registry has none of that digest."""
    row = first(db, "SELECT manifest FROM versions WHERE digest = ?", (digest,))
    if row is None:
        raise NotFoundError(
            "unknown_bundle", f"there is no bundle {digest[:12]}", "see: tinyfleet model list"
        )
    return decode_manifest(row["manifest"].encode())
