"""Where a device's model came from, and where a sample went: both read from what the manifests say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlite_utils import Database

from fleet_server.store import Row, first
from wire.errors import NotFoundError
from wire.manifest import Manifest, decode_manifest


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A source of recordings."""

    kind: str
    name: str
    version: str = ""
    licence: str = "unknown"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of devices."""

    samples: int
    devices: list[str]
    requests: list[int] = []
    numbers: list[int] = []
    alert: int | None = None


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """A data set, as the trainer describes it in its run."""

    name: str
    digest: str
    origins: list[Origin] = []
    parent: str | None = None
    field: Field | None = None


def of_device(db: Database, device: str) -> dict[str, Any]:
    """From a device to the data that made its model: version, run, data sets, samples, alert."""
    row = first(db, "SELECT device, model, version, digest FROM devices WHERE device = ?", (device,))
    if row is None:
        raise NotFoundError("unknown_device", f"there is no device {device!r}", "see: tinyfleet device list")
    found: dict[str, Any] = {"device": device, "runs": None, "chain": []}
    if row["digest"] is None:
        return found
    found["runs"] = {"model": row["model"], "version": row["version"], "digest": row["digest"]}
    found["chain"] = list(_chain(db, row["digest"]))
    return found


def of_sample(db: Database, number: int) -> dict[str, Any]:
    """From a sample to the versions that were trained on it, and the devices that run or ran them."""
    row = first(
        db, "SELECT id, request, device, label, labelled_by, digest FROM samples WHERE id = ?", (number,)
    )
    if row is None:
        raise NotFoundError("unknown_sample", f"there is no sample {number}", "see: tinyfleet samples list")
    versions = []
    for version in db.query("SELECT digest, model, version, manifest FROM versions ORDER BY model, version"):
        field = _field(_data(decode_manifest(version["manifest"].encode())))
        if number in field.get("numbers", ()) and row["request"] in field.get("requests", ()):
            versions.append(_reached(db, version))
    return {"sample": row, "versions": versions}


def _reached(db: Database, version: Row) -> dict[str, Any]:
    digest = version["digest"]
    running = db.query("SELECT device FROM devices WHERE digest = ? ORDER BY device", (digest,))
    ever = db.query(
        """SELECT DISTINCT device FROM assignments
           WHERE digest = ? AND confirmed_at IS NOT NULL ORDER BY device""",
        (digest,),
    )
    return {
        "model": version["model"],
        "version": version["version"],
        "digest": digest,
        "running": [row["device"] for row in running],
        "confirmed": [row["device"] for row in ever],
    }


def _chain(db: Database, digest: str) -> Iterator[dict[str, Any]]:
    """The version, and those whose data its own extends, newest first."""
    seen: set[str] = set()
    wanted: str | None = digest
    while wanted is not None and wanted not in seen:
        seen.add(wanted)
        row = first(db, "SELECT model, version, manifest FROM versions WHERE digest = ?", (wanted,))
        if row is None:
            return
        manifest = decode_manifest(row["manifest"].encode())
        yield _link(row, manifest, wanted)
        parent = _data(manifest).get("parent")
        wanted = None if parent is None else _of_data(db, row["model"], str(parent))


def _link(row: Row, manifest: Manifest, digest: str) -> dict[str, Any]:
    run = manifest.lineage.get("run")
    known = run if isinstance(run, dict) else {}
    return {
        "model": row["model"],
        "version": row["version"],
        "digest": digest,
        "source": manifest.lineage.get("source"),
        "task": known.get("task"),
        "seed": known.get("seed"),
        "split": known.get("split"),
        "data": _data(manifest),
    }


def _of_data(db: Database, model: str, data: str) -> str | None:
    """The newest version that was trained on the data set with this digest."""
    rows = db.query(
        "SELECT digest, manifest FROM versions WHERE model = ? ORDER BY version DESC LIMIT 1000", (model,)
    )
    for row in rows:
        if _data(decode_manifest(row["manifest"].encode())).get("digest") == data:
            return str(row["digest"])
    return None


def _data(manifest: Manifest) -> dict[str, Any]:
    """What the manifest says of the data set; empty when that is nothing, or not what we write."""
    run = manifest.lineage.get("run")
    found = run.get("data") if isinstance(run, dict) else None
    try:
        known = msgspec.convert(found, Data)
    except msgspec.ValidationError:
        return {}
    said: dict[str, Any] = msgspec.to_builtins(known)
    return said


def _field(data: dict[str, Any]) -> dict[str, Any]:
    found = data.get("field")
    return found if isinstance(found, dict) else {}
