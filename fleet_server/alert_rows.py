"""Alerts as rows: read by their cause or by number, and written."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlite_utils import Database

from fleet_server.alert_state import Alert, Standing, Word
from fleet_server.store import Row, first
from wire.errors import NotFoundError
from wire.states import AlertKind, AlertState, Severity

_COLUMNS: Final = (
    "kind", "key", "severity", "subject", "message", "devices", "device_count", "since", "changed", "advice",
    "state", "at", "last_at", "seen", "reopened", "changed_at", "changed_by", "note",
)  # fmt: skip
_INSERT: Final = f"INSERT INTO alerts ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - constants
_UPDATE: Final = f"UPDATE alerts SET {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE id = ?"  # noqa: S608 - constants


def newest(db: Database, kind: AlertKind, key: str) -> tuple[int, Standing] | None:
    """The alert of that cause which was opened last."""
    row = first(db, "SELECT * FROM alerts WHERE kind = ? AND key = ? ORDER BY id DESC LIMIT 1", (kind, key))
    return None if row is None else (int(row["id"]), _standing(row))


def load(db: Database, number: int) -> Standing:
    """One alert; NotFoundError when there is none of that number."""
    return _standing(row_of(db, number))


def row_of(db: Database, number: int) -> Row:
    """Its row; NotFoundError when there is none of that number."""
    row = first(db, "SELECT * FROM alerts WHERE id = ?", (number,))
    if row is None:
        raise NotFoundError("unknown_alert", f"there is no alert {number}", "see: tinyfleet alert list")
    return row


def insert(db: Database, standing: Standing) -> int:
    """Enter a new alert; returns its number."""
    number = db.execute(_INSERT, _values(standing)).lastrowid
    assert number is not None  # noqa: S101 - an INSERT into a rowid table has one
    return number


def update(db: Database, number: int, standing: Standing) -> None:
    """Bring the row of an alert up to date."""
    db.execute(_UPDATE, (*_values(standing), number))


def _standing(row: Row) -> Standing:
    alert = Alert(
        kind=AlertKind(row["kind"]),
        key=row["key"],
        severity=Severity(row["severity"]),
        subject=row["subject"],
        message=row["message"],
        devices=tuple(msgspec.json.decode(row["devices"])),
        since=row["since"],
        changed=row["changed"],
        advice=row["advice"],
    )
    said = row["changed_at"] is not None
    return Standing(
        alert=alert,
        state=AlertState(row["state"]),
        opened_at=row["at"],
        seen_at=row["last_at"],
        since=row["at"] if row["since"] is None else row["since"],
        count=row["seen"],
        reopened=row["reopened"],
        word=Word(row["changed_at"], row["changed_by"] or "", row["note"]) if said else None,
    )


def _values(standing: Standing) -> tuple[Any, ...]:
    alert, word = standing.alert, standing.word
    return (
        *(alert.kind, alert.key, alert.severity, alert.subject, alert.message),
        *(msgspec.json.encode(alert.devices).decode(), len(alert.devices)),
        *(standing.since, alert.changed, alert.advice),
        *(standing.state, standing.opened_at, standing.seen_at, standing.count, standing.reopened),
        *((word.at, word.by, word.note) if word else (None, None, "")),
    )
