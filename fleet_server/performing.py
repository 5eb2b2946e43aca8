"""The rollout engine's actions, carried out in the database."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlite_utils import Database

from fleet_server.director import Director
from fleet_server.fitting import EXAMINED, Fitting
from fleet_server.membership import refuse
from fleet_server.rollout_state import (
    Action,
    Assign,
    Join,
    Opening,
    Reschedule,
    Restore,
    Rollout,
    Settle,
    Withdraw,
)
from fleet_server.store import only
from wire.states import Reason, UpdateState
from wire.trust import Policy as DevicePolicy


def perform(
    db: Database, director: Director, rollout: Rollout, actions: Sequence[Action], now: float
) -> None:
    """Do what the engine asks for."""
    fitting: Fitting | None = None
    for action in actions:
        match action:
            case Assign(device, opening):
                fitting = fitting or Fitting(db, rollout.bundle.digest, rollout.policy.schema_change)
                _assign(db, director, rollout, fitting, device, opening, now)
            case Reschedule(device, opening):
                director.reschedule(db, rollout.id, device, opening, now)
            case Withdraw(device):
                director.withdraw(db, rollout.id, device, now)
            case Restore(device):
                _restore(db, director, rollout, device, now)
            case Settle(device, state):
                _settle(db, rollout, device, state, now)
            case Join(device, stage):
                db.execute(
                    "UPDATE rollout_devices SET stage = ? WHERE rollout = ? AND device = ?",
                    (stage, rollout.id, device),
                )


def _assign(
    db: Database,
    director: Director,
    rollout: Rollout,
    fitting: Fitting,
    device: str,
    opening: Opening | None,
    now: float,
) -> None:
    """A new attempt; unless the device has become one that the version does not fit."""
    row = only(db, f"SELECT d.*, {EXAMINED} AS examined FROM devices d WHERE device = ?", (device,))  # noqa: S608 - a constant
    refusal = fitting.examine(row)
    if refusal is not None:
        refuse(db, rollout.id, {device: refusal}, {device: row})
        return
    db.execute("UPDATE assignments SET replaced = 1 WHERE rollout = ? AND device = ?", (rollout.id, device))
    former = row["digest"] if row["digest"] != fitting.digest and fitting.knows(row["digest"]) else None
    db.execute(
        """UPDATE rollout_devices SET attempts = attempts + 1,
               previous_digest = CASE attempts WHEN 0 THEN ? ELSE previous_digest END
           WHERE rollout = ? AND device = ?""",
        (former, rollout.id, device),
    )
    director.issue(
        db, device, rollout.bundle.digest, _device_policy(rollout), now, rollout=rollout.id, opening=opening
    )


def _restore(db: Database, director: Director, rollout: Rollout, device: str, now: float) -> None:
    row = only(
        db,
        "SELECT previous_digest FROM rollout_devices WHERE rollout = ? AND device = ?",
        (rollout.id, device),
    )
    db.execute("UPDATE assignments SET replaced = 1 WHERE restores = ? AND device = ?", (rollout.id, device))
    digest = row["previous_digest"]
    director.issue(db, device, digest, _device_policy(rollout), now, restores=rollout.id)


def _device_policy(rollout: Rollout) -> DevicePolicy:
    return msgspec.structs.replace(rollout.policy.device, new_schema=rollout.policy.schema_change)


def _settle(db: Database, rollout: Rollout, device: str, state: UpdateState, now: float) -> None:
    reason = Reason.DEADLINE if state is UpdateState.TIMED_OUT else Reason.NONE
    db.execute(
        """UPDATE assignments SET state = ?, reason = ?, updated_at = ?
           WHERE rollout = ? AND device = ? AND replaced = 0""",
        (state, reason, now, rollout.id, device),
    )
