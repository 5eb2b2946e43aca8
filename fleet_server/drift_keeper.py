"""Drift detectors in the database: fed at every tick, examined once a look, and told as alerts.

Examining reads and computes outside the writer's thread. What was found, the looks that it was found in
and the alert are then stored in one transaction: a server killed in between examines the same looks again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace
from sqlite_utils import Database

from fleet_server.drift import statistics
from fleet_server.drift.cell import Cell
from fleet_server.drift.cohort import Outlier, outliers
from fleet_server.drift.detector import Detector, Step, Watched, measure, step
from fleet_server.drift.policy import DriftPolicy
from fleet_server.drift.statistics import Kind
from fleet_server.drift.yardstick import Look
from fleet_server.store import first

_CELL = msgspec.json.Decoder(Cell)
_WATCHED = msgspec.msgpack.Decoder(Watched)
_DETECTOR = msgspec.json.Decoder(Detector)


class Key(NamedTuple):
    """What one detector is of."""

    model: str
    kind: Kind
    size: int
    """Of the statistics: devices with other sensors are not compared."""


class Examined(NamedTuple):
    """One detector after its newest looks."""

    key: Key
    before: Detector
    step: Step
    digests: dict[str, str]
    """Bundle by device, of the looks."""
    outliers: list[tuple[str, Outlier]]
    """Devices that never were like the others, as of now."""


class Examination(NamedTuple):
    """Everything that one examination found."""

    up_to: int
    """Number of the last look that went in."""
    results: list[Examined]


def is_due(db: Database, policy: DriftPolicy, now: float) -> bool:
    """Whether it is time to examine."""
    row = first(db, "SELECT examined_at FROM drift_cursor")
    return row is not None and now - row["examined_at"] >= policy.look_s


def examine(db: Database, policy: DriftPolicy) -> Examination:
    """Take the newest complete look of each device into the detectors; changes nothing in the database."""
    rows = list(db.query("SELECT id, device, body FROM drift_looks ORDER BY id"))
    newest = {row["device"]: _CELL.decode(row["body"]) for row in rows}
    groups: dict[Key, dict[str, Cell]] = {}
    for device, cell in newest.items():
        for kind in statistics.KINDS:
            if found := statistics.values(kind, cell):
                groups.setdefault(Key(cell.model, kind, len(found)), {})[device] = cell
    results = [_examine(db, policy, key, cells) for key, cells in sorted(groups.items())]
    return Examination(rows[-1]["id"] if rows else 0, results)


def keep(db: Database, examination: Examination, now: float) -> None:
    """Store what was found, and that its looks were seen."""
    for found in examination.results:
        _save(db, found)
    db.execute("DELETE FROM drift_looks WHERE id <= ?", (examination.up_to,))
    db.execute("UPDATE drift_cursor SET examined_at = ?", (now,))


def load(db: Database, key: Key) -> Detector:
    """As it was stored last; a new one when there is none."""
    row = first(db, "SELECT body FROM drift_detectors WHERE model = ? AND kind = ? AND size = ?", tuple(key))
    empty = Detector(side=statistics.SIDES[key.kind])
    rows = _devices(db, key)
    devices = {each["device"]: _WATCHED.decode(each["body"]) for each in rows}
    return replace(empty if row is None else _DETECTOR.decode(row["body"]), devices=devices)


def forget(db: Database, key: Key, devices: Sequence[str]) -> None:
    """Let devices begin a new baseline: what they are now is what they shall be."""
    db.conn.executemany(
        "DELETE FROM drift_devices WHERE model = ? AND kind = ? AND size = ? AND device = ?",
        [(*key, device) for device in devices],
    )


def settle(db: Database, model: str, kind: Kind) -> None:
    """Begin anew to gather evidence that a model's fleet drifts: what was found so far is dealt with."""
    for key in keys(db):
        if (key.model, key.kind) == (model, kind):
            body = msgspec.json.encode(Detector(side=statistics.SIDES[kind])).decode()
            db.execute("INSERT OR REPLACE INTO drift_detectors VALUES (?, ?, ?, ?)", (*key, body))


def keys(db: Database) -> list[Key]:
    """Of all detectors."""
    rows = db.query("SELECT model, kind, size FROM drift_detectors ORDER BY model, kind, size")
    return [Key(row["model"], row["kind"], row["size"]) for row in rows]


def _examine(db: Database, policy: DriftPolicy, key: Key, cells: dict[str, Cell]) -> Examined:
    detector = load(db, key)
    digests = {device: cell.digest for device, cell in cells.items()}
    if key.kind != "inputs":
        # Another version answers differently without anything else having changed.
        known = {row["device"]: row["digest"] for row in _devices(db, key)}
        other = {d for d, digest in digests.items() if known.get(d, digest) != digest}
        detector = replace(
            detector, devices={d: watched for d, watched in detector.devices.items() if d not in other}
        )
    looks = {
        device: Look(cell.begun_at, cell.ended_at, statistics.values(key.kind, cell))
        for device, cell in cells.items()
    }
    after = step(detector, policy, measure(detector, policy), looks)
    return Examined(key, detector, after, digests, _outliers(after.detector, key))


def _outliers(detector: Detector, key: Key) -> list[tuple[str, Outlier]]:
    complete = {d: w for d, w in detector.devices.items() if not w.learning}
    if key.kind != "inputs" or not complete:
        return []
    names = sorted(complete)
    usual = np.array([np.mean([look.values for look in complete[d].baseline], axis=0) for d in names])
    return [(names[found.device], found) for found in outliers(usual)]


def _devices(db: Database, key: Key) -> list[dict[str, Any]]:
    return list(
        db.query(
            "SELECT device, digest, body FROM drift_devices WHERE model = ? AND kind = ? AND size = ?",
            tuple(key),
        )
    )


def _save(db: Database, found: Examined) -> None:
    after = found.step.detector
    body = msgspec.json.encode(replace(after, devices={})).decode()
    db.execute("INSERT OR REPLACE INTO drift_detectors VALUES (?, ?, ?, ?)", (*found.key, body))
    db.conn.executemany(
        "INSERT OR REPLACE INTO drift_devices VALUES (?, ?, ?, ?, ?, ?)",
        [
            (*found.key, device, digest, msgspec.msgpack.encode(after.devices[device]))
            for device, digest in found.digests.items()
        ],
    )


def status(db: Database, policy: DriftPolicy) -> list[dict[str, Any]]:
    """Of every detector: how many devices are watched and learned, and its evidence beside what is needed."""
    told = []
    for key in keys(db):
        detector = load(db, key)
        complete = sum(not watched.learning for watched in detector.devices.values())
        told.append(
            {
                **key._asdict(),
                "watched": complete,
                "learning": len(detector.devices) - complete,
                "changed": sorted(detector.recent),
                "log_evidence": round(detector.log_evidence, 3),
                "log_evidence_needed": round(-math.log(policy.alpha), 3),
            }
        )
    return told
