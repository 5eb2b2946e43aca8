"""Telemetry on its way into the gates: what each member of a rollout reported, added up in the database.

Rows of the telemetry table are read once, in order, behind a cursor that is stored in the same transaction
as the sums: a server killed at any moment neither loses nor repeats a window.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
from sqlite_utils import Database

from fleet_server.gates.cell import BASELINE, Bin, Cell, bin_of
from fleet_server.gates.lifeline import Lifeline
from fleet_server.gates.policy import Latency
from fleet_server.rollout_policy import Policy
from fleet_server.store import Row, first, only
from wire.messages import Telemetry

#: Windows taken in one go, so that the writer is not blocked for long.
MAX_WINDOWS: Final = 5000
#: About so many bins a soak: the calendar by which the arms are aligned.
_BINS_PER_SOAK: Final = 30
_LIFE = msgspec.json.Decoder(Lifeline)
_CELL = msgspec.json.Decoder(Cell)
_WINDOW = msgspec.json.Decoder(Telemetry)


class Frame(NamedTuple):
    """The rollout as the feed sees it."""

    rollout: int
    digest: str
    """Of the new version."""
    started_at: float
    policy: Policy

    @property
    def bin_s(self) -> float:
        """Length of a bin: a few windows of a device, and a small part of a soak."""
        return max(2 * self.policy.device.report_every_ms / 1000, self.policy.soak_s / _BINS_PER_SOAK)

    @property
    def percentile(self) -> int:
        """Of the latency that is compared."""
        latency = self.policy.gates.latency or Latency()
        return latency.percentile


def feed(db: Database, frame: Frame) -> int:
    """Take in what came since the last time, MAX_WINDOWS at most; returns how many windows."""
    cursor = _cursor(db, frame)
    newest = only(db, "SELECT coalesce(max(id), 0) AS id FROM telemetry")["id"]
    rows = list(
        db.query(
            """SELECT t.id, t.received_at, t.device, t.digest, t.payload, m.arm, m.previous_digest
               FROM telemetry t JOIN rollout_devices m ON m.rollout = ? AND m.device = t.device
               WHERE t.id > ? AND m.stage IS NOT NULL ORDER BY t.id LIMIT ?""",
            (frame.rollout, cursor, MAX_WINDOWS),
        )
    )
    _add(db, frame, rows)
    reached = rows[-1]["id"] if len(rows) == MAX_WINDOWS else newest
    db.execute(
        "UPDATE gate_cursors SET fed_id = ?, unseen = unseen + ? WHERE rollout = ?",
        (reached, len(rows), frame.rollout),
    )
    return len(rows)


def unseen(db: Database, rollout: int) -> bool:
    """Whether windows were taken in that no look has seen."""
    return bool(only(db, "SELECT unseen FROM gate_cursors WHERE rollout = ?", (rollout,))["unseen"])


def see(db: Database, rollout: int) -> None:
    """Note that a look has seen everything that was taken in."""
    db.execute("UPDATE gate_cursors SET unseen = 0 WHERE rollout = ?", (rollout,))


def load_cells(db: Database, rollout: int) -> dict[Bin, Cell]:
    """What was added up so far."""
    rows = db.query("SELECT device, bin, body FROM gate_cells WHERE rollout = ?", (rollout,))
    return {Bin(row["device"], row["bin"]): _CELL.decode(row["body"]) for row in rows}


def load_lives(db: Database, rollout: int) -> dict[str, Lifeline]:
    """When each device joined its arm and when it was last seen."""
    rows = db.query("SELECT device, body FROM gate_lives WHERE rollout = ?", (rollout,))
    return {row["device"]: _LIFE.decode(row["body"]) for row in rows}


def load_shadows(db: Database, frame: Frame) -> tuple[float, ...]:
    """Share of disagreement of each device whose shadow is complete, in the order in which they were."""
    wanted = max(1, frame.policy.device.shadow_inferences)
    rows = db.query(
        """SELECT 1.0 * disagreed / n AS share FROM gate_shadows
           WHERE rollout = ? AND n >= ? ORDER BY updated_id""",
        (frame.rollout, wanted),
    )
    return tuple(row["share"] for row in rows)


def _cursor(db: Database, frame: Frame) -> int:
    found = first(db, "SELECT fed_id FROM gate_cursors WHERE rollout = ?", (frame.rollout,))
    if found is not None:
        return int(found["fed_id"])
    since = frame.started_at - frame.policy.gates.baseline_s
    row = only(db, "SELECT coalesce(max(id), 0) AS id FROM telemetry WHERE received_at < ?", (since,))
    db.execute("INSERT INTO gate_cursors VALUES (?, ?, 0)", (frame.rollout, row["id"]))
    return int(row["id"])


def _add(db: Database, frame: Frame, rows: Iterable[Row]) -> None:
    cells: dict[Bin, Cell] = {}
    lives: dict[str, Lifeline | None] = {}
    for row in rows:
        window = _WINDOW.decode(row["payload"])
        _add_shadow(db, frame, row, window)
        at = _moment(window, row["received_at"])
        if at is None:
            continue
        old = row["digest"] == row["previous_digest"]
        where = Bin(row["device"], bin_of(at, frame.started_at, frame.bin_s))
        in_arm = old if row["arm"] == "control" else row["digest"] == frame.digest
        if not (in_arm if where.bin != BASELINE else old):
            continue
        cell = cells.get(where) or _load_cell(db, frame.rollout, where)
        cells[where] = cell.add(window, frame.percentile)
        if where.bin != BASELINE:
            device = row["device"]
            life = lives[device] if device in lives else _load_life(db, frame.rollout, device)
            fresh = Lifeline(entered_at=at, last_at=at, boot=window.boot)
            lives[device] = life.seen(window.boot, at) if life else fresh
    _save(db, frame.rollout, cells, lives)


def _moment(window: Telemetry, received_at: float) -> float | None:
    """When a window ended. One that was kept back is placed by the device's clock, if it has a sane one."""
    if not window.historical:
        return received_at
    at = window.at_unix_s
    return at if at is not None and at <= received_at else None


def _add_shadow(db: Database, frame: Frame, row: Row, window: Telemetry) -> None:
    shadow = window.shadow
    if shadow is None or shadow.model.digest != frame.digest or not shadow.n:
        return
    db.execute(
        """INSERT INTO gate_shadows VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
           n = n + excluded.n, disagreed = disagreed + excluded.disagreed,
           updated_id = excluded.updated_id""",
        (frame.rollout, row["device"], shadow.n, shadow.disagreed, row["id"]),
    )


def _load_cell(db: Database, rollout: int, where: Bin) -> Cell:
    row = first(
        db,
        "SELECT body FROM gate_cells WHERE rollout = ? AND device = ? AND bin = ?",
        (rollout, where.device, where.bin),
    )
    return Cell() if row is None else _CELL.decode(row["body"])


def _load_life(db: Database, rollout: int, device: str) -> Lifeline | None:
    row = first(db, "SELECT body FROM gate_lives WHERE rollout = ? AND device = ?", (rollout, device))
    return None if row is None else _LIFE.decode(row["body"])


def _save(db: Database, rollout: int, cells: dict[Bin, Cell], lives: dict[str, Lifeline | None]) -> None:
    encode = msgspec.json.encode
    db.conn.executemany(
        "INSERT OR REPLACE INTO gate_cells VALUES (?, ?, ?, ?)",
        [(rollout, where.device, where.bin, encode(cell).decode()) for where, cell in cells.items()],
    )
    db.conn.executemany(
        "INSERT OR REPLACE INTO gate_lives VALUES (?, ?, ?)",
        [(rollout, device, encode(life).decode()) for device, life in lives.items()],
    )
