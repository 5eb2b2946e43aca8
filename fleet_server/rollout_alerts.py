"""What rollouts need a person for: they undid themselves, they wait for somebody, or they are broken."""

from __future__ import annotations

from sqlite_utils import Database

from fleet_server import alerts
from fleet_server.alerts import Alert, AlertKind, Severity
from fleet_server.rollout_state import Rollout, named
from wire.states import UNSUCCESSFUL, RolloutState


def tell(db: Database, before: Rollout, after: Rollout, now: float) -> None:
    """Raise or resolve what follows from one tick."""
    moved = before.state is not after.state
    bundle = f"{after.bundle.model} v{after.bundle.version}"
    if moved and after.state is RolloutState.ROLLING_BACK:
        alerts.raise_alert(db, now, _undone(db, after, f"{bundle} stopped: {after.reason}"))
    if moved and after.state is RolloutState.PAUSED:
        alerts.raise_alert(db, now, _waits(after, f"{bundle} paused: {after.reason}"))
    elif not moved and before.reason != after.reason and after.reason:
        alerts.raise_alert(db, now, _waits(after, after.reason))
    elif moved or before.reason != after.reason:
        attended(db, after, now)


def attended(db: Database, after: Rollout, now: float) -> None:
    """It goes on, or ended: nobody has to do anything for it to go on."""
    if after.state is not RolloutState.PAUSED:
        alerts.resolve(db, now, AlertKind.ROLLOUT, f"{after.id}/attention", f"the rollout is {after.state}")


def broken(db: Database, number: int, error: Exception, now: float) -> None:
    """The engine failed with it."""
    alert = Alert(
        kind=AlertKind.ROLLOUT,
        key=f"{number}/engine",
        severity=Severity.CRITICAL,
        subject=f"rollout {number}",
        message=f"cannot be moved on: {str(error)[:200]}",
        changed="its devices are told nothing new, and its gates do not look",
        advice=f"stop it: tinyfleet rollout stop {number}; the server's log has the traceback",
    )
    alerts.raise_alert(db, now, alert)


def mended(db: Database, number: int, now: float) -> None:
    """The engine moved it on."""
    alerts.resolve(db, now, AlertKind.ROLLOUT, f"{number}/engine", "it moves on again")


def _undone(db: Database, rollout: Rollout, message: str) -> Alert:
    told, failed = _members(db, rollout.id)
    harmed = failed or told
    what = "did not get to run it" if failed else "ran it"
    return Alert(
        kind=AlertKind.ROLLOUT,
        key=str(rollout.id),
        severity=Severity.CRITICAL,
        subject=f"rollout {rollout.id}",
        message=message,
        devices=tuple(harmed),
        since=rollout.stage.started_at,
        changed=f"{named(rollout, rollout.current)}: {len(told)} devices were told, {len(harmed)} {what}; "
        "they are given back what they ran before, where there was something",
        advice=f"see why: tinyfleet rollout explain {rollout.id}; then push a better version",
    )


def _waits(rollout: Rollout, message: str) -> Alert:
    number = rollout.id
    return Alert(
        kind=AlertKind.ROLLOUT,
        key=f"{number}/attention",
        severity=Severity.WARNING,
        subject=f"rollout {number}",
        message=message,
        changed=f"{named(rollout, rollout.current)}: no more devices are told meanwhile",
        advice=f"see why: tinyfleet rollout explain {number}; then approve, resume, skip or stop it",
    )


def _members(db: Database, number: int) -> tuple[list[str], list[str]]:
    """Devices that were told to take it, and those of them that did not come to run it."""
    rows = db.execute(
        "SELECT device, state FROM assignments WHERE rollout = ? AND replaced = 0 ORDER BY device", (number,)
    ).fetchall()
    return [device for device, _ in rows], [device for device, state in rows if state in UNSUCCESSFUL]
