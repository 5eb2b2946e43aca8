"""What devices report, stored once each: whatever is duplicated, late or out of order."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from sqlite_utils import Database

from fleet_server.store import Row, first, only
from wire.messages import Reported, Status, Telemetry
from wire.states import SETTLED, Presence, Reason, UpdateState


class Outcome(StrEnum):
    """What became of a message."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    STALE = "stale"
    """Older than what is known: a late will, a reordered report."""


def store_status(db: Database, status: Status, now: float) -> Outcome:
    """Presence. A will speaks for its own session only, so a late one cannot mark a new session offline."""
    known = _device(db, status.device, now)
    same_boot = status.boot == known["status_boot"]
    if status.state is Presence.OFFLINE and not (same_boot and status.session == known["session"]):
        return Outcome.STALE
    if same_boot and status.session < known["session"]:
        return Outcome.STALE
    if same_boot and status.session == known["session"] and status.state == known["presence"]:
        return Outcome.DUPLICATE  # retained, sent again by the broker: nobody was heard
    db.execute(
        "UPDATE devices SET presence = ?, session = ?, status_boot = ?, seen_at = ? WHERE device = ?",
        (status.state, status.session, status.boot, now, status.device),
    )
    return Outcome.STORED


def store_reported(db: Database, report: Reported, now: float) -> Outcome:
    """The device's own state, and that of the attempt it speaks of."""
    known = _device(db, report.device, now)
    if known["boot"] == report.boot and report.seq <= known["seq"]:
        return Outcome.DUPLICATE if report.seq == known["seq"] else Outcome.STALE
    # A device whose counter was reset is believed while its retained status names that boot.
    if report.boot < (known["boot"] or "") and report.boot != known["status_boot"]:
        return Outcome.STALE
    hardware, running = report.hardware, report.running
    db.execute(
        """UPDATE devices SET seen_at = ?, boot = ?, seq = ?,
               board = ?, target = ?, numerics = ?, runtime = ?, ram_bytes = ?, flash_bytes = ?,
               format = ?, hardware = ?,
               model = ?, version = ?, digest = ?, slots = ?,
               attempt = ?, state = ?, reason = ?, detail = ? WHERE device = ?""",
        (
            *(now, report.boot, report.seq),
            *(hardware.board, hardware.target, hardware.numerics, hardware.runtime),
            *(hardware.ram_bytes, hardware.flash_bytes, hardware.format),
            msgspec.json.encode(hardware).decode(),
            *((running.model, running.version, running.digest) if running else (None, None, None)),
            msgspec.json.encode(report.slots).decode(),
            *(report.attempt, report.state, report.reason, report.detail, report.device),
        ),
    )
    if report.attempt is not None:
        _update_attempt(db, report, now)
    _notice_fallback(db, report, now)
    return Outcome.STORED


def store_telemetry(db: Database, window: Telemetry, payload: bytes, now: float) -> Outcome:
    """One window, its sums by minute and version, and the observation that a rollout waits for."""
    _device(db, window.device, now)
    cursor = db.execute(
        """INSERT OR IGNORE INTO telemetry (device, boot, seq, received_at, digest, payload)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (window.device, window.boot, window.seq, now, window.model.digest, payload.decode()),
    )
    if cursor.rowcount == 0:
        return Outcome.DUPLICATE
    db.execute("UPDATE devices SET seen_at = ? WHERE device = ?", (now, window.device))
    _roll_up(db, window, int(now // 60))
    db.execute(
        """UPDATE assignments SET observed_at = :now,
               state = CASE state WHEN 'timed_out' THEN 'confirmed' ELSE state END,
               reason = CASE state WHEN 'timed_out' THEN 'none' ELSE reason END
           WHERE device = :device AND attempt = :attempt AND digest = :digest
             AND confirmed_at IS NOT NULL AND observed_at IS NULL""",
        {
            "now": now,
            "device": window.device,
            "attempt": window.attempt,
            "digest": window.model.digest,
        },
    )
    return Outcome.STORED


def _device(db: Database, device: str, now: float) -> Row:
    db.execute(
        "INSERT OR IGNORE INTO devices (device, first_seen_at, seen_at) VALUES (?, ?, ?)", (device, now, now)
    )
    return only(
        db, "SELECT presence, session, status_boot, boot, seq FROM devices WHERE device = ?", (device,)
    )


def _update_attempt(db: Database, report: Reported, now: float) -> None:
    """What a device says is true, whatever the server presumed: a late end replaces ``timed_out``.

    What it says less than the server knows changes nothing: that it is confirmed when it has succeeded, or
    that it is still at work when its deadline is over.
    """
    changed = db.execute(
        """UPDATE assignments SET state = :state, reason = :reason, detail = :detail, updated_at = :now,
               downloaded_bytes = :downloaded,
               confirmed_at = CASE :state WHEN 'confirmed' THEN coalesce(confirmed_at, :now)
                              ELSE confirmed_at END
           WHERE device = :device AND attempt = :attempt
             AND NOT (state = 'succeeded' AND :good) AND NOT (state = 'timed_out' AND NOT :settled)""",
        {
            "state": report.state,
            "reason": report.reason,
            "detail": report.detail,
            "now": now,
            "downloaded": report.downloaded_bytes,
            "good": report.state in (UpdateState.CONFIRMED, UpdateState.ALREADY_INSTALLED),
            "settled": report.state in SETTLED,
            "device": report.device,
            "attempt": report.attempt,
        },
    ).rowcount
    if changed and report.state in (UpdateState.CONFIRMED, UpdateState.FAILED):
        # A rollout that was undone meanwhile has to take the version back, or to try that once more.
        db.execute(
            """UPDATE rollouts SET active = 1 WHERE active = 0 AND json_extract(body, '$.undone')
                   AND id = (SELECT ifnull(rollout, restores) FROM assignments
                             WHERE device = ? AND attempt = ?)""",
            (report.device, report.attempt),
        )


def _notice_fallback(db: Database, report: Reported, now: float) -> None:
    """A device that runs another version than the last that it confirmed has fallen back by itself.

    A boot loader may do so long after the rollout has counted it as a success (hawkbit issue 3185).
    """
    db.execute(
        """UPDATE assignments SET state = 'rolled_back', reason = :reason, updated_at = :now
           WHERE device = :device AND state IN ('confirmed', 'succeeded', 'already_installed')
             AND digest IS NOT :running
             AND sequence = (SELECT max(sequence) FROM assignments WHERE device = :device
                             AND state IN ('confirmed', 'succeeded', 'already_installed'))""",
        {
            "reason": Reason.FELL_BACK,
            "now": now,
            "device": report.device,
            "running": report.running.digest if report.running else None,
        },
    )


def _roll_up(db: Database, window: Telemetry, minute: int) -> None:
    db.execute(
        """INSERT INTO score_rollup VALUES (?, ?, ?, 1, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
           windows = windows + 1, n = n + excluded.n, errors = errors + excluded.errors,
           labelled = labelled + excluded.labelled, correct = correct + excluded.correct""",
        (
            minute,
            window.model.digest,
            window.numerics,
            window.n,
            window.errors,
            window.labelled,
            window.correct,
        ),
    )
    known = first(db, "SELECT board FROM devices WHERE device = ?", (window.device,))
    board = "" if known is None else known["board"] or ""
    db.conn.executemany(
        """INSERT INTO board_latency_rollup VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET count = count + excluded.count""",
        [
            (minute, window.model.digest, board, window.latency_clock, bucket, count)
            for bucket, count in window.latency.items()
        ],
    )


def quarantine(db: Database, topic: str, code: str, message: str, payload: bytes, now: float) -> None:
    """Keep the newest thousand messages that could not be read, 4 KB of each, for a person to look at."""
    db.execute(
        "INSERT INTO quarantine (at, topic, code, message, payload) VALUES (?, ?, ?, ?, ?)",
        (now, topic[:200], code, message, payload[:4096]),
    )
    db.execute("DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - 1000")
