"""Field samples: asked for by signed requests within a budget, stored once each, and labelled by people."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from fleet_server import events
from fleet_server.director import Director
from fleet_server.reports import Outcome
from fleet_server.store import Row, first, only
from wire.errors import InputError, NotFoundError
from wire.samples import MAX_SAMPLES, Sample, SampleRequest, sign_request

#: Most devices of one request, and most samples that all requests may hold together.
MAX_DEVICES: Final = 1000
MAX_STORED: Final = 100_000
#: A device that was away for longer is not asked any more.
_LIFE: Final = timedelta(days=7)
_COLUMNS: Final = (
    "id, request, device, place, of, received_at, taken_at, digest, answer, confidence, label, labelled_by, "
    "shape, sha256"
)


def ask(
    db: Database,
    director: Director,
    devices: Sequence[str],
    per_device: int,
    now: float,
    *,
    by: str,
    alert: int | None = None,
) -> Row:
    """Ask each device for so many of the windows that it keeps; InputError when that is over the budget."""
    if not 1 <= per_device <= MAX_SAMPLES or not 1 <= len(devices) <= MAX_DEVICES:
        raise InputError(
            "bad_request",
            f"{per_device} samples of each of {len(devices)} devices",
            f"1 to {MAX_SAMPLES} of each of 1 to {MAX_DEVICES}",
        )
    unknown = [d for d in devices if first(db, "SELECT 1 FROM devices WHERE device = ?", (d,)) is None]
    if unknown:
        raise NotFoundError(
            "unknown_device", f"there is no device {unknown[0]!r}", "see: tinyfleet device list"
        )
    stored = int(only(db, "SELECT count(*) AS n FROM samples")["n"])
    if stored + per_device * len(devices) > MAX_STORED:
        raise InputError("samples_full", f"{stored} samples are stored", "delete those of old requests")
    number = db.execute(
        "INSERT INTO sample_requests (at, asked_by, alert, per_device) VALUES (?, ?, ?, ?)",
        (now, by, alert, per_device),
    ).lastrowid
    assert number is not None  # noqa: S101 - an INSERT into a rowid table has one
    expires = (datetime.fromtimestamp(now, UTC) + _LIFE).replace(microsecond=0)
    for device in devices:
        wish = SampleRequest(device=device, request=number, count=per_device)
        payload = sign_request(wish, director.key, expires)
        db.execute(
            "INSERT INTO sample_asks (request, device, payload) VALUES (?, ?, ?)", (number, device, payload)
        )
    events.record(
        db,
        now,
        "samples",
        f"samples {number}",
        f"{len(devices)} devices asked for {per_device} each, by {by}",
    )
    return show(db, number)


def store_sample(db: Database, sample: Sample, now: float) -> Outcome:
    """Keep a sample that was asked for, once; WireError when its values are not what they say."""
    window = sample.window
    asked = first(
        db,
        "SELECT 1 FROM sample_asks WHERE request = ? AND device = ?",
        (sample.request, sample.device),
    )
    if asked is None:
        return Outcome.STALE
    data = np.ascontiguousarray(window, "<f4").tobytes()
    cursor = db.execute(
        """INSERT OR IGNORE INTO samples (request, device, place, of, received_at, taken_at, digest, answer,
               confidence, label, labelled_by, shape, payload, sha256)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (sample.request, sample.device, sample.index, sample.of, now, now - sample.age_s, sample.digest,
         sample.answer, sample.confidence, sample.label, None if sample.label is None else "the device",
         msgspec.json.encode(sample.shape).decode(), data, hashlib.sha256(data).hexdigest()),
    )  # fmt: skip
    if cursor.rowcount == 0:
        return Outcome.DUPLICATE
    db.execute(
        """UPDATE sample_asks SET state = 'answered' WHERE request = :request AND device = :device
           AND state != 'done' AND :of <=
               (SELECT count(*) FROM samples WHERE request = :request AND device = :device)""",
        {"request": sample.request, "device": sample.device, "of": sample.of},
    )
    return Outcome.STORED


def mark_published(db: Database, rows: Sequence[Row]) -> None:
    """These requests, and older ones to the same devices, are with the broker; or no longer."""
    for row in rows:
        after = "sent" if row["state"] == "new" else "done"
        db.execute(
            """UPDATE sample_asks SET state = ? WHERE device = ? AND request <= ? AND state = ?""",
            (after, row["device"], row["request"], row["state"]),
        )


def label(db: Database, number: int, truth: int | None, by: str) -> Row:
    """Say what a sample is; None takes a label away. NotFoundError or InputError."""
    sample = first(
        db,
        """SELECT s.id, json_array_length(v.manifest, '$.labels') AS classes
           FROM samples s LEFT JOIN versions v ON v.digest = s.digest WHERE s.id = ?""",
        (number,),
    )
    if sample is None:
        raise NotFoundError("unknown_sample", f"there is no sample {number}", "see: tinyfleet samples list")
    classes = sample["classes"] or 0
    if truth is not None and classes and not 0 <= truth < classes:
        raise InputError("bad_label", f"{truth} is no class", f"give a number from 0 to {classes - 1}")
    db.execute(
        "UPDATE samples SET label = ?, labelled_by = ? WHERE id = ?",
        (truth, None if truth is None else by, number),
    )
    return only(db, f"SELECT {_COLUMNS} FROM samples WHERE id = ?", (number,))  # noqa: S608 - a constant


def show(db: Database, number: int) -> Row:
    """A request, whom it went to and what came back; NotFoundError."""
    row = first(db, "SELECT * FROM sample_requests WHERE id = ?", (number,))
    if row is None:
        raise NotFoundError("unknown_request", f"there is no request {number}", "see: tinyfleet samples list")
    asks = list(
        db.query(
            """SELECT a.device, a.state, count(s.id) AS samples, count(s.label) AS labelled,
                      coalesce(max(s.of), 0) AS of
               FROM sample_asks a LEFT JOIN samples s ON s.request = a.request AND s.device = a.device
               WHERE a.request = ? GROUP BY a.device ORDER BY a.device""",
            (number,),
        )
    )
    return {**row, "devices": asks}


def requests(db: Database) -> list[Row]:
    """All requests, newest first."""
    return list(
        db.query(
            """SELECT r.*, (SELECT count(*) FROM sample_asks a WHERE a.request = r.id) AS devices,
                      (SELECT count(*) FROM samples s WHERE s.request = r.id) AS samples,
                      (SELECT count(label) FROM samples s WHERE s.request = r.id) AS labelled
               FROM sample_requests r ORDER BY id DESC LIMIT 200"""
        )
    )


def samples(db: Database, request: int, after: int, limit: int) -> list[dict[str, Any]]:
    """A page of a request's samples with their windows, as nested lists."""
    rows = db.query(
        f"SELECT {_COLUMNS}, payload FROM samples WHERE request = ? AND id > ? ORDER BY id LIMIT ?",  # noqa: S608
        (request, after, limit),
    )
    return [_with_window(row) for row in rows]


def window_of(row: Row) -> NDArray[np.float32]:
    """The window of a row of the samples table."""
    found: NDArray[np.float32] = np.frombuffer(row["payload"], "<f4").reshape(
        msgspec.json.decode(row["shape"])
    )
    return found


def _with_window(row: Row) -> dict[str, Any]:
    window = window_of(row)
    rest = {key: value for key, value in row.items() if key not in ("payload", "shape")}
    return {**rest, "window": window.tolist()}
