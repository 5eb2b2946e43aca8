"""What has to be told of alerts, written in the transaction of the alert itself: a kill loses nothing."""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database

from fleet_server.alert_state import Standing, Word
from fleet_server.store import first, only
from wire.limits import MAX_NAMED_DEVICES
from wire.messages import AlertNotice, encode
from wire.states import AlertEvent

MERGE_WITHIN_S: Final = 60.0
"""Of updates that follow each other so closely the last one is kept."""
KEPT: Final = 5000
"""Notices; of an alert that is not resolved the newest is kept besides."""


def put(db: Database, number: int, standing: Standing, event: AlertEvent, word: Word) -> bool:
    """Leave a notice; returns whether it is one more, rather than in place of the update just before it."""
    merged = event is AlertEvent.UPDATED and _withdraw_update(db, number, word.at)
    row = db.execute(
        "INSERT INTO alert_notices (alert, event, at, body) VALUES (?, ?, ?, '')", (number, event, word.at)
    ).lastrowid
    server = only(db, "SELECT value FROM identity WHERE name = 'alerts'")["value"]
    body = encode(_notice(f"{server}-{row}", server, number, standing, event, word)).decode()
    db.execute("UPDATE alert_notices SET body = ? WHERE id = ?", (body, row))
    db.execute(
        """DELETE FROM alert_notices WHERE id <= ? AND id NOT IN (
               SELECT max(n.id) FROM alert_notices n JOIN alerts a ON a.id = n.alert
               WHERE a.state != 'resolved' GROUP BY n.alert)""",
        ((row or 0) - KEPT,),
    )
    return not merged


def _withdraw_update(db: Database, number: int, now: float) -> bool:
    last = first(
        db, "SELECT id, event, at FROM alert_notices WHERE alert = ? ORDER BY id DESC LIMIT 1", (number,)
    )
    if last is None or last["event"] != AlertEvent.UPDATED or now - last["at"] >= MERGE_WITHIN_S:
        return False
    db.execute("DELETE FROM alert_notices WHERE id = ?", (last["id"],))
    return True


def _notice(
    name: str, server: str, number: int, standing: Standing, event: AlertEvent, word: Word
) -> AlertNotice:
    alert = standing.alert
    return AlertNotice(
        id=name,
        server=server,
        alert=number,
        event=event,
        at_unix_s=word.at,
        by=word.by[:128],
        note=word.note[:1000],
        kind=alert.kind,
        key=alert.key,
        state=standing.state,
        severity=alert.severity,
        subject=alert.subject,
        message=alert.message,
        opened_at_unix_s=standing.opened_at,
        since_unix_s=standing.since,
        count=standing.count,
        reopened=standing.reopened,
        devices=tuple(alert.devices[:MAX_NAMED_DEVICES]),
        device_count=len(alert.devices),
        changed=alert.changed,
        advice=alert.advice.replace("NUMBER", str(number)),
    )
