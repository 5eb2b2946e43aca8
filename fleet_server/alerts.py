"""What needs a person: one alert a cause, however often it is seen, until it is resolved."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from sqlite_utils import Database

from fleet_server import events
from fleet_server.store import Row, first
from wire.errors import InputError, NotFoundError

#: Most devices that an alert names; it counts all of them.
MAX_NAMED = 1000


class State(StrEnum):
    """Of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    """Somebody knows; it is not told again."""
    RESOLVED = "resolved"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A cause for alarm, as it is seen now."""

    kind: str
    key: str
    """With ``kind``, the cause: while its alert is not resolved, there is no second one."""
    severity: str
    """``warning`` or ``critical``."""
    subject: str
    message: str
    devices: tuple[str, ...] = ()
    since: float | None = None
    changed: str = ""
    """What is not as it was."""
    advice: str = ""
    """What to do."""


def raise_alert(db: Database, now: float, alert: Alert) -> int:
    """Open the alert of this cause or bring it up to date; returns its number."""
    named = msgspec.json.encode(sorted(alert.devices)[:MAX_NAMED]).decode()
    told = (alert.severity, alert.message, named, len(alert.devices), alert.changed, alert.advice)
    present = first(
        db,
        "SELECT id FROM alerts WHERE kind = ? AND key = ? AND state != 'resolved'",
        (alert.kind, alert.key),
    )
    if present is not None:
        db.execute(
            """UPDATE alerts SET severity = ?, message = ?, devices = ?, device_count = ?, changed = ?,
                   advice = ?, seen = seen + 1, last_at = ? WHERE id = ?""",
            (*told, now, present["id"]),
        )
        return int(present["id"])
    number = db.execute(
        """INSERT INTO alerts (severity, message, devices, device_count, changed, advice,
                               at, last_at, since, kind, key, subject)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (*told, now, now, alert.since, alert.kind, alert.key, alert.subject),
    ).lastrowid
    assert number is not None  # noqa: S101 - an INSERT into a rowid table has one
    events.record(db, now, "alert", f"alert {number}", alert.message)
    return number


def change(db: Database, number: int, state: State, now: float, by: str, note: str = "") -> Row:
    """Acknowledge or resolve; NotFoundError, or InputError when a resolved one is to be acknowledged."""
    row = show(db, number)
    if row["state"] == state:
        return row
    if row["state"] == State.RESOLVED:
        raise InputError("resolved", f"alert {number} is resolved", "if the cause is back, so will the alert")
    db.execute(
        "UPDATE alerts SET state = ?, changed_at = ?, changed_by = ?, note = ? WHERE id = ?",
        (state, now, by, note, number),
    )
    words = f"{state} by {by}" + (f": {note}" if note else "")
    events.record(db, now, "alert", f"alert {number}", words)
    return show(db, number)


def resolve(db: Database, now: float, kind: str, key: str, why: str) -> None:
    """The cause is gone; nothing when there is no such alert."""
    row = first(db, "SELECT id FROM alerts WHERE kind = ? AND key = ? AND state != 'resolved'", (kind, key))
    if row is not None:
        change(db, row["id"], State.RESOLVED, now, "the server", why)


def show(db: Database, number: int) -> Row:
    """One alert; NotFoundError."""
    row = first(db, "SELECT * FROM alerts WHERE id = ?", (number,))
    if row is None:
        raise NotFoundError("unknown_alert", f"there is no alert {number}", "see: tinyfleet alert list")
    return {**row, "devices": msgspec.json.decode(row["devices"])}
