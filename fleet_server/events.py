"""What happened, in words."""

from __future__ import annotations

from sqlite_utils import Database


def record(db: Database, now: float, kind: str, subject: str, message: str) -> None:
    """Add to the activity log."""
    db.execute(
        "INSERT INTO events (at, kind, subject, message) VALUES (?, ?, ?, ?)", (now, kind, subject, message)
    )
