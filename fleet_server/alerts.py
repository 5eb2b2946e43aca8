"""What needs a person: one alert a cause, however often it is seen, until it is resolved.

Every function works inside its caller's transaction: the alert, the line in the activity log that says who
did it, and the notice for :mod:`fleet_server.notify` are committed together with what they are about.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace
from sqlite_utils import Database

from fleet_server import alert_rows, alert_state, events
from fleet_server.alert_state import REOPEN_WITHIN_S, Alert, Change, Word
from fleet_server.notify import outbox
from fleet_server.store import Row
from wire.states import AlertEvent, AlertKind, Severity
from wire.states import AlertState as State

__all__ = ["Alert", "AlertKind", "Severity", "State", "change", "raise_alert", "resolve", "show"]

#: Who acts where no person does.
SERVER = "the server"


def raise_alert(db: Database, now: float, alert: Alert, reopen_within_s: float = REOPEN_WITHIN_S) -> int:
    """Open the alert of this cause or bring it up to date, as often as it is seen; returns its number."""
    alert = _cut(alert)
    known = alert_rows.newest(db, alert.kind, alert.key)
    change = alert_state.see(known[1] if known else None, alert, now, reopen_within_s)
    if known is None or change.event is AlertEvent.OPENED:
        number = alert_rows.insert(db, change.standing)
    else:
        number = known[0]
        alert_rows.update(db, number, change.standing)
    _tell(db, number, change, Word(now, SERVER))
    return number


def change(db: Database, number: int, state: State, now: float, by: str, note: str = "") -> Row:
    """Acknowledge or resolve; NotFoundError, or InputError when a resolved one is to be acknowledged."""
    before, word = alert_rows.load(db, number), Word(now, by[:128], note[:1000])
    said = (alert_state.resolve if state is State.RESOLVED else alert_state.acknowledge)(before, word)
    if said.event is not None:
        alert_rows.update(db, number, said.standing)
        _tell(db, number, said, word)
    return show(db, number)


def resolve(db: Database, now: float, kind: AlertKind, key: str, why: str) -> None:
    """The cause is gone; nothing when there is no such alert."""
    known = alert_rows.newest(db, kind, key[:200])
    if known is not None and known[1].state is not State.RESOLVED:
        change(db, known[0], State.RESOLVED, now, SERVER, why)


def show(db: Database, number: int) -> Row:
    """One alert; NotFoundError."""
    row = alert_rows.row_of(db, number)
    return {**row, "devices": msgspec.json.decode(row["devices"])}


def _tell(db: Database, number: int, change: Change, word: Word) -> None:
    if change.event is not None and outbox.put(db, number, change.standing, change.event, word):
        events.record(db, word.at, "alert", f"alert {number}", _words(change, word))


def _words(change: Change, word: Word) -> str:
    """What the activity log says of it."""
    alert, event = change.standing.alert, change.event
    if event in (AlertEvent.ACKNOWLEDGED, AlertEvent.RESOLVED):
        return f"{event} by {word.by}{f': {word.note}' if word.note else ''}"
    more = f" ({_named(change.gained)})" if change.gained else ""
    return f"{event}: {alert.message}{more}"


def _named(devices: tuple[str, ...], most: int = 5) -> str:
    rest = len(devices) - most
    return ", ".join(devices[:most]) + (f" and {rest} more" if rest > 0 else "")


def _cut(alert: Alert) -> Alert:
    """Within the lengths of :class:`wire.messages.AlertNotice`."""
    return replace(
        alert,
        key=alert.key[:200],
        subject=alert.subject[:128],
        message=alert.message[:1000],
        changed=alert.changed[:1000],
        advice=alert.advice[:1000],
    )
