"""Rollouts in the database: created, changed by operators, and moved on at every tick.

Each tick is one transaction that reads the facts, asks the pure engine, stores the new state and
performs the actions. A server killed at any moment therefore continues exactly where it was.
Each rollout has a savepoint of its own: one that raises stops no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from sqlite_utils import Database

from fleet_server import counters, events, gatekeeper, membership, rollout_alerts
from fleet_server.director import Director
from fleet_server.draw import draw
from fleet_server.facts import facts, reach
from fleet_server.fitting import Fitting
from fleet_server.membership import Filters, by_tags
from fleet_server.performing import perform
from fleet_server.rollout import advance, unfinished, wants
from fleet_server.rollout_commands import start
from fleet_server.rollout_policy import Policy
from fleet_server.rollout_state import ACTIVE, Fact, Rollout, create
from fleet_server.store import Row, first, only
from wire.errors import InputError, NotFoundError
from wire.states import RolloutState, StageState

log = logging.getLogger(__name__)


class Context(NamedTuple):
    """What a tick needs besides the database."""

    director: Director
    now: float
    filters: Filters = by_tags


def create_rollout(
    db: Database,
    digest: str,
    policy: Policy,
    now: float,
    by: str = "",
    *,
    filters: Filters = by_tags,
    begin: bool = True,
) -> Rollout:
    """Draw stages and arms over the devices that the bundle fits, and begin (or stay ready).

    Raises NotFoundError (no such bundle) or InputError (no device, and none may come later).
    """
    fitting = Fitting(db, digest, policy.schema_change)
    rollout_id = db.execute(
        "INSERT INTO rollouts (digest, created_at, active, body) VALUES (?, ?, 1, '')", (digest, now)
    ).lastrowid
    assert rollout_id is not None  # noqa: S101 - an INSERT into a rowid table has one
    found = membership.sort(db, membership.everyone(db), policy, fitting, filters)
    seats = draw(rollout_id, policy, found.fitting)
    if not seats and not policy.dynamic:
        raise InputError("no_devices", "no device can take this version", "see why: a rollout's dry run")
    membership.write(db, rollout_id, seats, found)
    rollout = create(rollout_id, fitting.manifest.ref(digest), policy)
    counts = membership.describe(policy, seats, {})["stages"]
    stages = [msgspec.structs.replace(s, **n) for s, n in zip(rollout.stages, counts, strict=True)]
    rollout = msgspec.structs.replace(rollout, stages=tuple(stages))
    rollout = start(rollout, now) if begin else rollout
    _save(db, rollout, active=rollout.state in ACTIVE)
    events.record(
        db, now, "rollout", f"rollout {rollout_id}",
        f"{rollout.bundle.model} v{rollout.bundle.version} to {len(seats)} devices in "
        f"{len(policy.stages)} stages, {len(found.refused)} do not fit{_said_by(by)}",
    )  # fmt: skip
    return rollout


def dry_run(db: Database, digest: str, policy: Policy, *, filters: Filters = by_tags) -> Row:
    """What :func:`create_rollout` would do now: ``{fits, stages, rejected, by_reason}``."""
    fitting = Fitting(db, digest, policy.schema_change)
    found = membership.sort(db, membership.everyone(db), policy, fitting, filters)
    number = only(db, "SELECT ifnull(max(id), 0) + 1 AS next FROM rollouts")["next"]
    return membership.describe(policy, draw(number, policy, found.fitting), found.refused)


def change(
    db: Database, rollout_id: int, how: Callable[[Rollout], Rollout], now: float, by: str = ""
) -> Rollout:
    """Apply an operator's command, such as :func:`fleet_server.rollout_commands.pause`."""
    before = load(db, rollout_id)
    after = how(before)
    if after != before:
        # Whatever it is now, the next tick finds out whether there is anything left to do.
        _save(db, after, active=after.state is not RolloutState.READY)
        if after.state is RolloutState.STOPPED:
            _wake_former(db, after)
        what = (
            f"{before.state} -> {after.state}" if after.state is not before.state else _changed(before, after)
        )
        events.record(db, now, "rollout", f"rollout {rollout_id}", f"{what}{_said_by(by)}")
        rollout_alerts.attended(db, after, now)
    return after


def tick(
    db: Database,
    director: Director,
    now: float,
    *,
    filters: Filters = by_tags,
) -> list[Rollout]:
    """Move every active rollout on, the one that goes first first; returns those that changed."""
    context = Context(director, now, filters)
    reach(db, now)
    changed = []
    claimed: set[str] = set()
    for row in list(
        db.query(
            """SELECT id FROM rollouts WHERE active = 1
               ORDER BY ifnull(json_extract(body, '$.policy.priority'), 0) DESC, id"""
        )
    ):
        try:
            with db.atomic():
                after, moved = _move(db, row["id"], claimed, context)
        except Exception as error:
            log.exception("rollout %s", row["id"])
            _report_broken(db, row["id"], error, now)
        else:
            rollout_alerts.mended(db, row["id"], now)
            changed += [after] if moved else []
    return changed


def load(db: Database, rollout_id: int) -> Rollout:
    """One rollout; NotFoundError when there is none of that number."""
    row = first(db, "SELECT body FROM rollouts WHERE id = ?", (rollout_id,))
    if row is None:
        raise NotFoundError(
            "unknown_rollout", f"there is no rollout {rollout_id}", "see: tinyfleet rollout list"
        )
    return msgspec.json.decode(row["body"], type=Rollout)


def _move(db: Database, rollout_id: int, claimed: set[str], context: Context) -> tuple[Rollout, bool]:
    """One rollout's tick; devices that it is not done with are added to ``claimed``."""
    now = context.now
    before = load(db, rollout_id)
    admits = _admit(db, before, context)
    finished = before.state is RolloutState.FINISHED
    known = [_claimable(f, claimed) for f in facts(db, before, now, only_open=finished)]
    judged = before.state in (RolloutState.RUNNING, RolloutState.PAUSED)
    verdicts = gatekeeper.verdicts(db, before, known, now) if judged else ()
    after, actions = advance(before, known, verdicts, now)
    if _ended_stages(after) != _ended_stages(before):
        gatekeeper.record_decision(db, before)
    perform(db, context.director, after, actions, now)
    active = admits or unfinished(after, known, actions)
    if after != before or not active:
        _save(db, after, active=active)
    if after != before:
        _tell(db, before, after, now)
    if after.state is RolloutState.STOPPED and before.state is not RolloutState.STOPPED:
        _wake_former(db, after)
    claimed.update(f.device for f in known if wants(after, f))
    return after, after != before


def _admit(db: Database, rollout: Rollout, context: Context) -> bool:
    """Take newcomers in; returns whether the rollout is to be looked at because of those to come."""
    finished = rollout.state is RolloutState.FINISHED
    if rollout.state not in (RolloutState.RUNNING, RolloutState.PAUSED) and not finished:
        return False
    if finished and not (rollout.policy.dynamic and membership.newest_of_model(db, rollout)):
        return False
    seats = membership.join(db, rollout, context.filters, context.now)
    if seats:
        events.record(
            db, context.now, "rollout", f"rollout {rollout.id}",
            f"{len(seats)} more devices take part: {', '.join(seat.device for seat in seats[:5])}",
        )  # fmt: skip
    return True


def _ended_stages(rollout: Rollout) -> int:
    return sum(stage.state in (StageState.PASSED, StageState.FAILED) for stage in rollout.stages)


def _claimable(fact: Fact, claimed: set[str]) -> Fact:
    return msgspec.structs.replace(fact, blocked=True) if fact.device in claimed else fact


def _report_broken(db: Database, rollout_id: int, error: Exception, now: float) -> None:
    counters.ROLLOUT_ERRORS.inc()
    rollout_alerts.broken(db, rollout_id, error, now)


def _save(db: Database, rollout: Rollout, *, active: bool) -> None:
    db.execute(
        "UPDATE rollouts SET body = ?, active = ? WHERE id = ?",
        (msgspec.json.encode(rollout).decode(), active, rollout.id),
    )


def _wake_former(db: Database, stopped: Rollout) -> None:
    """What the fleet should run is again what finished before: newcomers get that."""
    db.execute(
        """UPDATE rollouts SET active = 1 WHERE id = (
               SELECT max(id) FROM rollouts WHERE id < ? AND json_extract(body, '$.bundle.model') = ?
               AND json_extract(body, '$.state') = 'finished')""",
        (stopped.id, stopped.bundle.model),
    )


def _said_by(by: str) -> str:
    return f", by {by}" if by else ""


def _changed(before: Rollout, after: Rollout) -> str:
    """Which stage a command that changes no state was about."""
    for index, (old, new) in enumerate(zip(before.stages, after.stages, strict=True)):
        if old.approved is not new.approved:
            return f"stage {index + 1} approved"
        if old.skip is not new.skip:
            return f"stage {index + 1} skipped"
    return "changed"


def _tell(db: Database, before: Rollout, after: Rollout, now: float) -> None:
    subject = f"rollout {after.id}"
    for index, new in enumerate(after.stages):
        old = before.stages[index].state if index < len(before.stages) else StageState.SCHEDULED
        if old is not new.state:
            events.record(db, now, "stage", subject, f"stage {index + 1}: {old} -> {new.state}")
    if before.state is not after.state:
        events.record(db, now, "rollout", subject, f"{before.state} -> {after.state}: {after.reason}")
    elif before.reason != after.reason and after.reason:
        events.record(db, now, "rollout", subject, after.reason)
    rollout_alerts.tell(db, before, after, now)
