"""Telemetry that waits for its PUBACK: a bounded SQLite file that survives restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ParamSpec, TypeVar

from device_agent.storage import Entry
from wire.errors import StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    payload BLOB NOT NULL,
    historical INTEGER NOT NULL
) STRICT
"""

P = ParamSpec("P")
R = TypeVar("R")


def _typed(method: Callable[P, R]) -> Callable[P, R]:
    def typed(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except sqlite3.Error as error:
            raise StoreError("outbox", f"outbox: {error}", "check the disk") from error

    return typed


class Outbox:
    """First in, first out; when it is full the oldest are dropped, and counted."""

    @_typed
    def __init__(self, file: Path, max_entries: int, max_bytes: int, durable: bool = True) -> None:
        self.dropped = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        self._db.execute("PRAGMA cache_size = -64")
        self._db.execute(_SCHEMA)
        # What is here already waited for this process at least.
        self._db.execute("UPDATE outbox SET historical = 1")
        count, size = self._db.execute("SELECT count(*), total(length(payload)) FROM outbox").fetchone()
        self._count, self._bytes = int(count), int(size)

    def __len__(self) -> int:
        return self._count

    @_typed
    def add(self, payload: bytes, historical: bool) -> None:
        """Keep ``payload`` until it is removed or has to make room."""
        row = (payload, int(historical))
        self._db.execute("BEGIN")
        try:
            count, size, dropped = self._make_room(len(payload))
            self._db.execute("INSERT INTO outbox (payload, historical) VALUES (?, ?)", row)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._db.rollback()
            raise
        self._count, self._bytes = count + 1, size + len(payload)
        self.dropped += dropped

    @_typed
    def oldest(self, limit: int) -> list[Entry]:
        """The first entries in the order in which they were added."""
        rows = self._db.execute("SELECT id, payload, historical FROM outbox ORDER BY id LIMIT ?", (limit,))
        return [Entry(row[0], row[1], bool(row[2])) for row in rows]

    @_typed
    def remove(self, ids: Iterable[int]) -> None:
        """Forget entries that the broker acknowledged."""
        for entry in ids:
            rows = self._db.execute("DELETE FROM outbox WHERE id = ? RETURNING length(payload)", (entry,))
            for (size,) in rows.fetchall():  # none when it had to make room meanwhile
                self._count -= 1
                self._bytes -= size

    @_typed
    def mark_historical(self) -> None:
        """Everything still here has to wait for the server or the link."""
        self._db.execute("UPDATE outbox SET historical = 1 WHERE historical = 0")

    @_typed
    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _make_room(self, size_bytes: int) -> tuple[int, int, int]:
        """Delete the oldest; returns entries and bytes that are left, and how many went."""
        count, size, dropped = self._count, self._bytes, 0
        while count and (count >= self._max_entries or size + size_bytes > self._max_bytes):
            row = self._db.execute("SELECT id, length(payload) FROM outbox ORDER BY id LIMIT 1").fetchone()
            self._db.execute("DELETE FROM outbox WHERE id = ?", (row[0],))
            count, size, dropped = count - 1, size - row[1], dropped + 1
        return count, size, dropped
