"""What the rollout engine decides by, read in one query."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlite_utils import Database

from fleet_server.rollout_state import Fact, Rollout

#: A wish that is not published yet cannot be late: its time begins when it is.
_REACHED: Final = """
    CASE WHEN a.reached_at IS NOT NULL AND a.published = 0 AND a.state = 'queued' THEN :now
         ELSE a.reached_at END"""
_OPEN: Final = """
    AND (a.state IS NULL OR a.state IN
         ('queued', 'downloading', 'downloaded', 'verified', 'installed', 'testing', 'confirmed', 'failed',
          'canceled'))"""


def facts(db: Database, rollout: Rollout, now: float, *, only_open: bool = False) -> list[Fact]:
    """Facts of every member device, in the order in which they shall be told.

    ``only_open`` leaves out who has come to an end; the rollout is then no longer judged by its devices.
    """
    query = f"""
        SELECT m.device, m.stage, m.arm, m.previous_digest IS NOT NULL, m.attempts,
               a.state, ifnull(a.reason, 'none'), a.issued_at, {_REACHED}, a.updated_at,
               a.observed_at IS NOT NULL, ifnull(a.held, 0), a.closes_at, a.withdrawn_at,
               r.state, r.issued_at, ifnull(r.reason, 'none'), r.updated_at,
               (SELECT count(*) FROM assignments x WHERE x.restores = m.rollout AND x.device = m.device),
               (SELECT ifnull(x.rollout, x.restores) IS NOT m.rollout AND x.digest IS NOT a.digest
                FROM assignments x
                WHERE a.device IS NOT NULL AND x.device = m.device ORDER BY x.sequence DESC LIMIT 1),
               {_overtaken(_later(db, rollout))}
        FROM rollout_devices m
        LEFT JOIN assignments a ON a.rollout = m.rollout AND a.device = m.device AND a.replaced = 0
        LEFT JOIN assignments r ON r.restores = m.rollout AND r.device = m.device
                                AND r.replaced = 0
        WHERE m.rollout = :rollout AND m.stage IS NOT NULL {_OPEN if only_open else ""}
        ORDER BY m.lot, m.device"""  # noqa: S608 - constants and integers of ours
    rows = db.execute(query, {"rollout": rollout.id, "now": now}).fetchall()
    # SQLite has no booleans: strict=False takes its 0 and 1.
    return msgspec.convert([(*row[:19], bool(row[19]), row[20]) for row in rows], list[Fact], strict=False)


def reach(db: Database, now: float) -> None:
    """Note which devices have come to know of a wish: its deadline begins here."""
    db.execute(
        """UPDATE assignments SET reached_at = ? WHERE reached_at IS NULL AND EXISTS (
               SELECT 1 FROM devices d WHERE d.device = assignments.device
               AND (d.presence = 'online' OR d.seen_at > assignments.signed_at))""",
        (now,),
    )


def _later(db: Database, rollout: Rollout) -> list[int]:
    """Rollouts of the same model that were made later and not undone."""
    rows = db.query(
        """SELECT id FROM rollouts WHERE id > ? AND json_extract(body, '$.bundle.model') = ?
           AND NOT ifnull(json_extract(body, '$.undone'), 0)""",
        (rollout.id, rollout.bundle.model),
    )
    return [int(row["id"]) for row in rows]


def _overtaken(later: list[int]) -> str:
    if not later:
        return "0"
    return f"""EXISTS (SELECT 1 FROM assignments x WHERE x.device = m.device AND x.replaced = 0
        AND x.rollout IN ({", ".join(map(str, later))})
        AND x.state NOT IN ('failed', 'rolled_back', 'rejected', 'timed_out', 'canceled'))"""  # noqa: S608
