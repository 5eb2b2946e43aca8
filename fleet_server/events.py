"""What happened, in words, and what needs a person."""

from __future__ import annotations

from sqlite_utils import Database


def record(db: Database, now: float, kind: str, subject: str, message: str) -> None:
    """Add to the activity log."""
    db.execute(
        "INSERT INTO events (at, kind, subject, message) VALUES (?, ?, ?, ?)", (now, kind, subject, message)
    )


def alert(db: Database, now: float, severity: str, subject: str, message: str) -> bool:
    """Open an alert, unless the same one is open already; returns whether it is new."""
    cursor = db.execute(
        """INSERT INTO alerts (at, severity, subject, message)
           SELECT ?, ?, ?, ? WHERE NOT EXISTS
           (SELECT 1 FROM alerts WHERE subject = ? AND message = ? AND state = 'open')""",
        (now, severity, subject, message, subject, message),
    )
    return bool(cursor.rowcount)
