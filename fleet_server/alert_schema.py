"""Migrations of alerts, in the order in which :mod:`fleet_server.schema` runs them."""

from __future__ import annotations

from sqlite_utils import Database


def m010_alerts(db: Database) -> None:
    """One alert a cause, which devices, since when, what changed and what to do."""
    for column in (
        "kind TEXT NOT NULL DEFAULT 'rollout'",
        "key TEXT NOT NULL DEFAULT ''",
        "devices TEXT NOT NULL DEFAULT '[]'",
        "device_count INTEGER NOT NULL DEFAULT 0",
        "since REAL",
        "changed TEXT NOT NULL DEFAULT ''",
        "advice TEXT NOT NULL DEFAULT ''",
        "seen INTEGER NOT NULL DEFAULT 1",
        "last_at REAL NOT NULL DEFAULT 0",
        "changed_at REAL",
        "changed_by TEXT",
        "note TEXT NOT NULL DEFAULT ''",
    ):
        db.execute(f"ALTER TABLE alerts ADD COLUMN {column}")
    db.execute("UPDATE alerts SET last_at = at, key = subject || ': ' || message")
    db.execute("CREATE INDEX alerts_by_cause ON alerts (kind, key) WHERE state != 'resolved'")


def m013_notices(db: Database) -> None:
    """At most one alert of a cause is not resolved; notices of alerts, and what became of them by channel."""
    db.execute("ALTER TABLE alerts ADD COLUMN reopened INTEGER NOT NULL DEFAULT 0")
    db.execute("UPDATE alerts SET since = at WHERE since IS NULL")
    db.execute("DROP INDEX alerts_by_cause")
    db.execute("CREATE UNIQUE INDEX alerts_unresolved ON alerts (kind, key) WHERE state != 'resolved'")
    db.execute("CREATE INDEX alerts_by_cause ON alerts (kind, key, id)")
    db.execute("INSERT INTO identity VALUES ('alerts', lower(hex(randomblob(8))))")
    # Channels remember how far they have read: numbers are never given twice.
    db.execute("""
        CREATE TABLE alert_notices (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            alert INTEGER NOT NULL,
            event TEXT NOT NULL,
            at REAL NOT NULL,
            body TEXT NOT NULL
        )""")
    db.execute("CREATE INDEX alert_notices_by_alert ON alert_notices (alert, id)")
    db.execute("""
        CREATE TABLE alert_channels (
            name TEXT PRIMARY KEY,
            read_id INTEGER NOT NULL,
            delivered INTEGER NOT NULL DEFAULT 0,
            given_up INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE alert_deliveries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            channel TEXT NOT NULL,
            alert INTEGER NOT NULL,
            notice TEXT NOT NULL,
            event TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'waiting',
            queued_at REAL NOT NULL,
            due_at REAL NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            settled_at REAL,
            detail TEXT NOT NULL DEFAULT '',
            body TEXT NOT NULL
        )""")
    db.execute(
        "CREATE INDEX alert_deliveries_waiting ON alert_deliveries (channel, id) WHERE state = 'waiting'"
    )
    db.execute("CREATE INDEX alert_deliveries_by_alert ON alert_deliveries (alert, channel, id)")


def m014_silences(db: Database) -> None:
    """Devices that have said nothing for too long, by what they probably have in common: when it began."""
    db.execute("""
        CREATE TABLE silences (
            device TEXT PRIMARY KEY,
            cause TEXT NOT NULL,
            since REAL NOT NULL
        ) WITHOUT ROWID""")
