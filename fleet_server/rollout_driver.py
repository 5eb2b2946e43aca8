"""Rollouts in the database: created, changed by operators, and moved on at every tick.

Each tick is one transaction that reads the facts, asks the pure engine, stores the new state and
performs the actions. A server killed at any moment therefore continues exactly where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from sqlite_utils import Database

from fleet_server import events
from fleet_server.director import Director
from fleet_server.rollout import (
    ACTIVE,
    Action,
    Assign,
    Fact,
    Policy,
    Restore,
    Rollout,
    Settle,
    advance,
    create,
    plan,
    start,
)
from fleet_server.store import first, only
from wire.errors import FleetError, NotFoundError, RefusedError
from wire.manifest import Manifest, decode_manifest
from wire.messages import Hardware
from wire.part import check_fits
from wire.states import Reason, RolloutState, UpdateState


def create_rollout(db: Database, digest: str, policy: Policy, now: float) -> Rollout:
    """Plan the stages over the devices that the bundle fits, and begin.

    Raises NotFoundError (no such bundle), RefusedError (another rollout is active) or InputError (no device).
    """
    row = first(db, "SELECT * FROM versions WHERE digest = ?", (digest,))
    if row is None:
        raise NotFoundError(
            "unknown_bundle", f"there is no bundle {digest[:12]}", "see: tinyfleet model list"
        )
    manifest = decode_manifest(row["manifest"].encode())
    _refuse_overlap(db)
    rollout_id = db.execute(
        "INSERT INTO rollouts (digest, created_at, active, body) VALUES (?, ?, 1, '')", (digest, now)
    ).lastrowid
    assert rollout_id is not None  # noqa: S101 - an INSERT into a rowid table has one
    fitting, refused = _sort_devices(db, manifest)
    members = plan(rollout_id, fitting, policy)
    rollout = start(create(rollout_id, manifest.ref(digest), policy, members))
    _save(db, rollout)
    _add_members(db, rollout_id, members, fitting, refused)
    events.record(
        db, now, "rollout", f"rollout {rollout_id}",
        f"{manifest.model} v{manifest.version} to {len(members)} devices in {len(policy.stages)} stages, "
        f"{len(refused)} do not fit",
    )  # fmt: skip
    return rollout


def change(db: Database, rollout_id: int, how: Callable[[Rollout], Rollout], now: float) -> Rollout:
    """Apply an operator's command, such as :func:`fleet_server.rollout.pause`."""
    before = load(db, rollout_id)
    if how(before).state in ACTIVE and before.state not in ACTIVE:
        _refuse_overlap(db)
    after = how(before)
    _save(db, after)
    if after.state is not before.state:
        events.record(db, now, "rollout", f"rollout {rollout_id}", f"{before.state} -> {after.state}")
    return after


def tick(db: Database, director: Director, now: float) -> list[Rollout]:
    """Move every active rollout on; returns those whose state changed."""
    changed = []
    for row in list(db.query("SELECT id FROM rollouts WHERE active = 1 ORDER BY id")):
        before = load(db, row["id"])
        after, actions = advance(before, facts(db, before.id), now)
        for action in actions:
            _perform(db, director, after, action, now)
        if after != before:
            _save(db, after)
            _tell(db, before, after, now)
            changed.append(after)
    return changed


def load(db: Database, rollout_id: int) -> Rollout:
    """One rollout; NotFoundError when there is none of that number."""
    row = first(db, "SELECT body FROM rollouts WHERE id = ?", (rollout_id,))
    if row is None:
        raise NotFoundError(
            "unknown_rollout", f"there is no rollout {rollout_id}", "see: tinyfleet rollout list"
        )
    return msgspec.json.decode(row["body"], type=Rollout)


def facts(db: Database, rollout_id: int) -> list[Fact]:
    """What the engine decides by, for every member device."""
    rows = db.query(
        """SELECT m.device, m.stage, m.previous_digest IS NOT NULL AS restorable,
                  a.state, a.reason, a.issued_at, a.observed_at IS NOT NULL AS observed,
                  r.state AS restored, r.issued_at AS restore_issued_at
           FROM rollout_devices m
           LEFT JOIN assignments a ON a.rollout = m.rollout AND a.device = m.device
           LEFT JOIN assignments r ON r.restores = m.rollout AND r.device = m.device
           WHERE m.rollout = ? AND m.stage IS NOT NULL ORDER BY m.device""",
        (rollout_id,),
    )
    # SQLite has no booleans: strict=False takes its 0 and 1.
    return [
        msgspec.convert({k: v for k, v in row.items() if k != "reason" or v is not None}, Fact, strict=False)
        for row in rows
    ]


def _refuse_overlap(db: Database) -> None:
    running = first(db, "SELECT id FROM rollouts WHERE active = 1")
    if running is not None:
        raise RefusedError(
            "rollout_active",
            f"rollout {running['id']} is still active",
            f"wait for it, or: tinyfleet rollout stop {running['id']}",
        )


def _sort_devices(db: Database, manifest: Manifest) -> tuple[dict[str, str | None], dict[str, str]]:
    """Devices that the bundle fits, with their present digest; and why the others are refused."""
    fitting: dict[str, str | None] = {}
    refused: dict[str, str] = {}
    for row in db.query("SELECT * FROM devices WHERE board IS NOT NULL"):
        try:
            check_fits(manifest, msgspec.convert(row, Hardware))
        except FleetError as error:
            refused[row["device"]] = f"{error.code}: {error.message}"
        else:
            fitting[row["device"]] = row["digest"]
    return fitting, refused


def _add_members(
    db: Database,
    rollout_id: int,
    members: Sequence[tuple[str, int]],
    previous: dict[str, str | None],
    refused: dict[str, str],
) -> None:
    rows: list[tuple[int, str, int | None, str | None, str | None]] = [
        (rollout_id, device, stage, previous[device], None) for device, stage in members
    ]
    rows += [(rollout_id, device, None, None, why) for device, why in refused.items()]
    db.conn.executemany("INSERT INTO rollout_devices VALUES (?, ?, ?, ?, ?)", rows)


def _perform(db: Database, director: Director, rollout: Rollout, action: Action, now: float) -> None:
    match action:
        case Assign(device):
            digest = rollout.bundle.digest
            director.issue(db, device, digest, rollout.policy.device, now, rollout=rollout.id)
        case Restore(device):
            row = only(
                db,
                "SELECT previous_digest FROM rollout_devices WHERE rollout = ? AND device = ?",
                (rollout.id, device),
            )
            digest = row["previous_digest"]
            director.issue(db, device, digest, rollout.policy.device, now, restores=rollout.id)
        case Settle(device, state):
            reason = Reason.DEADLINE if state is UpdateState.TIMED_OUT else Reason.NONE
            db.execute(
                """UPDATE assignments SET state = ?, reason = ?, updated_at = ?
                   WHERE rollout = ? AND device = ?""",
                (state, reason, now, rollout.id, device),
            )


def _save(db: Database, rollout: Rollout) -> None:
    db.execute(
        "UPDATE rollouts SET body = ?, active = ? WHERE id = ?",
        (msgspec.json.encode(rollout).decode(), rollout.state in ACTIVE, rollout.id),
    )


def _tell(db: Database, before: Rollout, after: Rollout, now: float) -> None:
    subject = f"rollout {after.id}"
    for index, (old, new) in enumerate(zip(before.stages, after.stages, strict=True)):
        if old.state is not new.state:
            message = f"stage {index + 1}: {old.state} -> {new.state}"
            events.record(db, now, "stage", subject, message)
    if before.state is not after.state:
        message = f"{before.state} -> {after.state}: {after.reason}"
        events.record(db, now, "rollout", subject, message)
    if after.state is RolloutState.ROLLING_BACK and before.state is not after.state:
        bundle = after.bundle
        events.alert(
            db, now, "critical", subject, f"{bundle.model} v{bundle.version} stopped: {after.reason}"
        )
