"""Telemetry on its way into the drift detectors: sums of each device's present look, kept in the database.

Windows are read once, in order, behind a cursor that is stored in the same transaction as the sums. Windows
that were kept back while a link was away are left out: they tell of another time.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlite_utils import Database

from fleet_server.drift.cell import Cell, begin
from fleet_server.drift.policy import DriftPolicy
from fleet_server.store import Row, first, only
from wire.messages import Telemetry

#: Windows taken in one go, so that the writer is not blocked for long.
MAX_WINDOWS: Final = 5000
_WINDOW = msgspec.json.Decoder(Telemetry)
_CELL = msgspec.json.Decoder(Cell)


def feed(db: Database, policy: DriftPolicy) -> int:
    """Take in what came since the last time, MAX_WINDOWS at most; returns how many windows."""
    cursor = _cursor(db)
    rows = list(
        db.query(
            "SELECT id, device, received_at, payload FROM telemetry WHERE id > ? ORDER BY id LIMIT ?",
            (cursor, MAX_WINDOWS),
        )
    )
    if not rows:
        return 0
    cells: dict[str, Cell | None] = {}
    closed: list[tuple[str, Cell]] = []
    for row in rows:
        _take(db, row, policy, cells, closed)
    _save(db, cells, closed)
    db.execute("UPDATE drift_cursor SET fed_id = ?", (rows[-1]["id"],))
    return len(rows)


def _take(
    db: Database,
    row: Row,
    policy: DriftPolicy,
    cells: dict[str, Cell | None],
    closed: list[tuple[str, Cell]],
) -> None:
    window = _WINDOW.decode(row["payload"])
    if window.historical or not window.n:
        return
    device, at = row["device"], row["received_at"]
    cell = cells[device] if device in cells else _load(db, device)
    if cell is None or not cell.fits(window):
        cell = begin(window, at)
    cell = cell.add(window, at)
    if cell.ended_at - cell.begun_at >= policy.look_s and cell.n >= policy.min_inferences:
        closed.append((device, cell))
        cells[device] = None
    else:
        cells[device] = cell


def _cursor(db: Database) -> int:
    row = first(db, "SELECT fed_id FROM drift_cursor")
    if row is None:
        # What was reported before there were detectors is not looked at.
        newest = only(db, "SELECT coalesce(max(id), 0) AS id FROM telemetry")["id"]
        db.execute("INSERT INTO drift_cursor (id, fed_id) VALUES (1, ?)", (newest,))
        return int(newest)
    return int(row["fed_id"])


def _load(db: Database, device: str) -> Cell | None:
    row = first(db, "SELECT body FROM drift_cells WHERE device = ?", (device,))
    return None if row is None else _CELL.decode(row["body"])


def _save(db: Database, cells: dict[str, Cell | None], closed: list[tuple[str, Cell]]) -> None:
    encode = msgspec.json.encode
    db.conn.executemany(
        "INSERT OR REPLACE INTO drift_cells VALUES (?, ?)",
        [(device, encode(cell).decode()) for device, cell in cells.items() if cell is not None],
    )
    db.conn.executemany(
        "DELETE FROM drift_cells WHERE device = ?", [(d,) for d, cell in cells.items() if cell is None]
    )
    db.conn.executemany(
        "INSERT INTO drift_looks (device, ended_at, body) VALUES (?, ?, ?)",
        [(device, cell.ended_at, encode(cell).decode()) for device, cell in closed],
    )
