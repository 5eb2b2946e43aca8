"""What each channel still has to be told, and what became of the rest. All inside the caller's transaction.

A channel reads the outbox in order and remembers how far it has come. Of one alert at most one delivery
waits on a channel: the newest, for it says how the alert is now.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace
from sqlite_utils import Database

from fleet_server import alerts, counters
from fleet_server.alerts import Alert, AlertKind, Severity
from fleet_server.notify.routing import Routing, is_urgent, wants
from fleet_server.store import Row, first, only
from wire.errors import WireError
from wire.messages import AlertNotice, decode, encode

log = logging.getLogger(__name__)
MOST_READ: Final = 500
KEPT: Final = 10_000
"""Deliveries, of all channels together, that are over."""


def take_in(db: Database, routing: Routing, dashboard_url: str, now: float) -> None:
    """Queue what is new in the outbox; a channel that is new itself is told what is open."""
    known = first(db, "SELECT read_id FROM alert_channels WHERE name = ?", (routing.name,))
    rows = _open_now(db) if known is None else _after(db, known["read_id"])
    for row in rows:
        notice = _read(row)
        if notice is not None and wants(routing, notice):
            url = f"{dashboard_url}/alerts/{notice.alert}" if dashboard_url else ""
            _queue(db, routing, replace(notice, url=url), now)
    if known is None:
        db.execute(
            "INSERT INTO alert_channels (name, read_id) SELECT ?, ifnull(max(id), 0) FROM alert_notices",
            (routing.name,),
        )
    elif rows:
        db.execute("UPDATE alert_channels SET read_id = ? WHERE name = ?", (rows[-1]["id"], routing.name))
    _drop_oldest(db, routing, now)


def has_news(db: Database, channel: str, now: float) -> bool:
    """Whether there is anything to take in or to send."""
    found = db.execute(
        """SELECT NOT EXISTS (SELECT 1 FROM alert_channels WHERE name = :channel)
           OR EXISTS (SELECT 1 FROM alert_notices
                      WHERE id > (SELECT read_id FROM alert_channels WHERE name = :channel))
           OR EXISTS (SELECT 1 FROM alert_deliveries
                      WHERE channel = :channel AND state = 'waiting' AND due_at <= :now)""",
        {"channel": channel, "now": now},
    ).fetchone()
    return bool(found[0])


def due(db: Database, channel: str, most: int, now: float) -> dict[int, AlertNotice]:
    """Deliveries whose time has come, by number; first those tried least, so that none blocks the others."""
    rows = db.query(
        """SELECT id, body FROM alert_deliveries WHERE channel = ? AND state = 'waiting' AND due_at <= ?
           ORDER BY attempts, id LIMIT ?""",
        (channel, now, most),
    )
    return {int(row["id"]): decode(AlertNotice, row["body"].encode()) for row in rows}


def delivered(db: Database, channel: str, numbers: Sequence[int], detail: str, now: float) -> None:
    """They arrived."""
    db.conn.executemany(
        """UPDATE alert_deliveries SET state = 'delivered', attempts = attempts + 1, settled_at = ?,
               detail = ? WHERE id = ?""",
        [(now, detail, number) for number in numbers],
    )
    db.execute("UPDATE alert_channels SET delivered = delivered + ? WHERE name = ?", (len(numbers), channel))
    counters.NOTICES.labels(channel, "delivered").inc(len(numbers))
    alerts.resolve(db, now, AlertKind.DELIVERY, channel, "the channel takes notices again")


def failed(db: Database, routing: Routing, numbers: Sequence[int], detail: str, now: float) -> None:
    """They may not have arrived; those that have waited too long are given up."""
    db.conn.executemany(
        "UPDATE alert_deliveries SET attempts = attempts + 1, detail = ? WHERE id = ?",
        [(detail, number) for number in numbers],
    )
    counters.NOTICES.labels(routing.name, "failed").inc(len(numbers))
    late = db.execute(
        "SELECT id FROM alert_deliveries WHERE channel = ? AND state = 'waiting' AND queued_at <= ?",
        (routing.name, now - routing.give_up_after_s),
    ).fetchall()
    _give_up(db, routing.name, [number for (number,) in late], "expired", now)


def forget_others(db: Database, names: Sequence[str], now: float) -> None:
    """Give up what waits on channels that are no longer configured."""
    for row in list(db.query("SELECT name FROM alert_channels")):
        if row["name"] not in names:
            left = db.execute(
                "SELECT id FROM alert_deliveries WHERE channel = ? AND state = 'waiting'", (row["name"],)
            ).fetchall()
            _settle(db, [number for (number,) in left], "dropped", "its channel was taken away", now)
            db.execute("DELETE FROM alert_channels WHERE name = ?", (row["name"],))
            alerts.resolve(db, now, AlertKind.DELIVERY, row["name"], "the channel was taken away")


def complain(db: Database, channel: str, message: str, now: float) -> None:
    """Raise the alert that notices do not arrive."""
    alert = Alert(
        kind=AlertKind.DELIVERY,
        key=channel,
        severity=Severity.WARNING,
        subject="fleet",
        message=message,
        changed=f"channel {channel} does not take notices of alerts",
        advice="see: tinyfleet alert channels; alerts themselves are all in: tinyfleet alert list",
    )
    alerts.raise_alert(db, now, alert)


def _read(row: Row) -> AlertNotice | None:
    """None when it is not what it should be: one such notice must not hold up all that come after it."""
    try:
        return decode(AlertNotice, row["body"].encode())
    except WireError as error:
        log.error("notice %s: %s", row["id"], error.message)
        return None


def _open_now(db: Database) -> list[Row]:
    return list(
        db.query(
            """SELECT max(n.id) AS id, n.body FROM alert_notices n JOIN alerts a ON a.id = n.alert
               WHERE a.state = 'open' GROUP BY n.alert ORDER BY 1"""
        )
    )


def _after(db: Database, read_id: int) -> list[Row]:
    return list(
        db.query("SELECT id, body FROM alert_notices WHERE id > ? ORDER BY id LIMIT ?", (read_id, MOST_READ))
    )


def _queue(db: Database, routing: Routing, notice: AlertNotice, now: float) -> None:
    where = (routing.name, notice.alert)
    before = only(
        db,
        """SELECT min(due_at) FILTER (WHERE state = 'waiting') AS due_at,
                  max(settled_at) FILTER (WHERE state = 'delivered') AS delivered_at
           FROM alert_deliveries WHERE channel = ? AND alert = ?""",
        where,
    )
    calm = before["delivered_at"] is not None and not is_urgent(notice)
    due_at = max(now, before["delivered_at"] + routing.updates_every_s) if calm else now
    if before["due_at"] is not None:
        due_at = min(due_at, before["due_at"])
        db.execute(
            """UPDATE alert_deliveries SET state = 'superseded', settled_at = ?, detail = ?
               WHERE channel = ? AND alert = ? AND state = 'waiting'""",
            (now, f"by {notice.id}", *where),
        )
    db.execute(
        """INSERT INTO alert_deliveries (channel, alert, notice, event, queued_at, due_at, body)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (*where, notice.id, notice.event, now, due_at, encode(notice).decode()),
    )


def _drop_oldest(db: Database, routing: Routing, now: float) -> None:
    over = db.execute(
        """SELECT id FROM alert_deliveries WHERE channel = ? AND state = 'waiting'
           ORDER BY id DESC LIMIT -1 OFFSET ?""",
        (routing.name, routing.most_waiting),
    ).fetchall()
    _give_up(db, routing.name, [number for (number,) in over], "dropped", now)
    db.execute(
        """DELETE FROM alert_deliveries WHERE state != 'waiting'
           AND id <= (SELECT max(id) FROM alert_deliveries) - ?""",
        (KEPT,),
    )


def _give_up(db: Database, channel: str, numbers: Sequence[int], state: str, now: float) -> None:
    if not numbers:
        return
    _settle(db, numbers, state, "never delivered", now)
    db.execute("UPDATE alert_channels SET given_up = given_up + ? WHERE name = ?", (len(numbers), channel))
    counters.NOTICES.labels(channel, state).inc(len(numbers))
    lost = only(db, "SELECT given_up FROM alert_channels WHERE name = ?", (channel,))["given_up"]
    complain(db, channel, f"channel {channel} has never delivered {lost} notices", now)


def _settle(db: Database, numbers: Sequence[int], state: str, detail: str, now: float) -> None:
    db.conn.executemany(
        """UPDATE alert_deliveries SET state = ?, settled_at = ?,
               detail = CASE detail WHEN '' THEN ? ELSE detail || '; ' || ? END WHERE id = ?""",
        [(state, now, detail, detail, number) for number in numbers],
    )
