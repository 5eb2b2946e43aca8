"""Who takes part in a rollout: devices that it is for and that its version fits, also late ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from sqlite_utils import Database

from fleet_server import tags
from fleet_server.device_filter import matches, parse
from fleet_server.draw import Candidate, Seat, draw, draw_late
from fleet_server.fitting import EXAMINED, Fitting, Refusal
from fleet_server.rollout_policy import Policy, StagePlan
from fleet_server.rollout_state import Arm, Rollout
from fleet_server.store import Row, only
from wire.states import RolloutState, StageState

Filters = Callable[[Database, str], Callable[[Row], bool]]
"""The meaning of a filter: whether it takes a device, given as a row of the table of devices.

InputError when it is not well-formed.
"""
SCAN_EVERY_S: Final = 5.0
"""How often a rollout with filters looks for devices that have begun to match."""


class Sorted(NamedTuple):
    """Devices that were looked at."""

    fitting: list[Candidate]
    refused: dict[str, Refusal]
    rows: dict[str, Row]


def by_tags(db: Database, expression: str) -> Callable[[Row], bool]:
    """The meaning of a filter expression, see fleet_server.device_filter."""
    meant, known = parse(expression), tags.read_all(db)
    return lambda row: matches(meant, tags.as_device(row, known.get(row["device"], {})))


def everyone(db: Database) -> list[Row]:
    """Every device that has said what it is."""
    return list(db.query(f"SELECT d.*, {EXAMINED} AS examined FROM devices d WHERE hardware IS NOT NULL"))  # noqa: S608 - a constant


def sort(db: Database, rows: Sequence[Row], policy: Policy, fitting: Fitting, filters: Filters) -> Sorted:
    """Which of the devices take part, and which of them cannot and why."""
    found = Sorted([], {}, {})
    meant = _everyone if policy.where is None else filters(db, policy.where)
    stages = [_members_of(plan, db, filters) for plan in policy.plan]
    for row in filter(meant, rows):
        found.rows[row["device"]] = row
        refusal = fitting.examine(row)
        if refusal is not None:
            found.refused[row["device"]] = refusal
            continue
        former = row["digest"] if row["digest"] != fitting.digest else None
        named = frozenset(stage for stage, takes in enumerate(stages) if takes(row))
        found.fitting.append(Candidate(row["device"], fitting.knows(former), named))
    return found


def join(db: Database, rollout: Rollout, filters: Filters, now: float) -> list[Seat]:
    """Take newcomers in: new or newly matching devices, and refused ones that are other than they were."""
    rows = _newcomers(db, rollout) if _time_to_look(db, rollout, now) else []
    if not rows:
        return []
    fitting = Fitting(db, rollout.bundle.digest, rollout.policy.schema_change)
    found = sort(db, rows, rollout.policy, fitting, filters)
    sizes = {row["stage"]: row["n"] for row in db.query(
        "SELECT stage, count(*) AS n FROM rollout_devices WHERE rollout = ? AND stage IS NOT NULL GROUP BY 1",
        (rollout.id,),
    )}  # fmt: skip
    if sizes:
        seats = draw_late(rollout.id, rollout.policy, found.fitting, _earliest(rollout, now), sizes)
        if rollout.state is RolloutState.FINISHED:
            last = len(rollout.stages) - 1
            seats = [seat._replace(stage=last, arm=Arm.NEW) for seat in seats]
    else:
        seats = draw(rollout.id, rollout.policy, found.fitting)
    write(db, rollout.id, seats, found)
    return seats


def write(db: Database, rollout_id: int, seats: Sequence[Seat], found: Sorted) -> None:
    """Keep who takes part, and who does not for what reason."""
    restorable = {candidate.device for candidate in found.fitting if candidate.restorable}
    db.conn.executemany(
        """INSERT INTO rollout_devices (rollout, device, stage, arm, lot, previous_digest)
           VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET stage = excluded.stage, arm = excluded.arm, lot = excluded.lot,
               previous_digest = excluded.previous_digest, refused = NULL, refused_reason = NULL""",
        [
            (
                *(rollout_id, seat.device, seat.stage, seat.arm, seat.lot),
                found.rows[seat.device]["digest"] if seat.device in restorable else None,
            )
            for seat in seats
        ],
    )
    refuse(db, rollout_id, found.refused, found.rows)


def refuse(db: Database, rollout_id: int, refused: dict[str, Refusal], rows: dict[str, Row]) -> None:
    """Keep why devices are left out; they are examined again when what it depends on changes."""
    db.conn.executemany(
        """INSERT INTO rollout_devices (rollout, device, refused, refused_reason, examined)
           VALUES (?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET stage = NULL, refused = excluded.refused,
               refused_reason = excluded.refused_reason, examined = excluded.examined""",
        [
            (rollout_id, device, f"{why.reason}: {why.message}", why.reason, rows[device]["examined"])
            for device, why in refused.items()
        ],
    )


def describe(policy: Policy, seats: Sequence[Seat], refused: dict[str, Refusal]) -> Row:
    """What a rollout would do, for people."""
    devices = Counter(seat.stage for seat in seats)
    control = Counter(seat.stage for seat in seats if seat.arm is Arm.CONTROL)
    return {
        "fits": len(seats),
        "stages": [{"devices": devices[s], "control": control[s]} for s in range(len(policy.stages))],
        "rejected": [
            {"device": device, "reason": why.reason, "message": why.message}
            for device, why in sorted(refused.items())
        ],
        "by_reason": dict(Counter(why.reason for why in refused.values())),
    }


def newest_of_model(db: Database, rollout: Rollout) -> bool:
    """Whether no later rollout of the model goes on or has finished: it says what newcomers shall run."""
    row = only(
        db,
        """SELECT count(*) AS n FROM rollouts r WHERE r.id > ? AND
               json_extract(r.body, '$.bundle.model') = ?
               AND json_extract(r.body, '$.state') NOT IN ('ready', 'stopped', 'rolling_back')""",
        (rollout.id, rollout.bundle.model),
    )
    return not row["n"]


def _everyone(_row: Row) -> bool:
    return True


def _members_of(plan: StagePlan, db: Database, filters: Filters) -> Callable[[Row], bool]:
    """Whether a stage names a device."""
    if plan.where is not None:
        return filters(db, plan.where)
    names = frozenset(plan.devices or ())
    return lambda row: row["device"] in names


def _time_to_look(db: Database, rollout: Rollout, now: float) -> bool:
    policy = rollout.policy
    if policy.where is None and all(plan.where is None for plan in policy.plan):
        return True
    looked = db.execute(
        "UPDATE rollouts SET looked_at = ? WHERE id = ? AND looked_at <= ?",
        (now, rollout.id, now - SCAN_EVERY_S),
    )
    return bool(looked.rowcount)


def _earliest(rollout: Rollout, now: float) -> int:
    """A stage that soaks, or runs for longer than a device may take, waits for nobody else."""
    stage = rollout.stage
    began = now if stage.started_at is None else stage.started_at
    open_ = stage.state is StageState.SCHEDULED or (
        stage.state is StageState.RUNNING and now - began <= rollout.policy.deadline_s
    )
    return rollout.current if open_ else min(rollout.current + 1, len(rollout.policy.stages))


def _newcomers(db: Database, rollout: Rollout) -> list[Row]:
    unknown = "m.device IS NULL OR" if rollout.policy.dynamic else ""
    return list(
        db.query(
            f"""SELECT d.*, {EXAMINED} AS examined FROM devices d
                LEFT JOIN rollout_devices m ON m.rollout = ? AND m.device = d.device
                WHERE d.hardware IS NOT NULL
                  AND ({unknown} (m.refused IS NOT NULL AND m.examined IS NOT {EXAMINED}))""",  # noqa: S608 - constants
            (rollout.id,),
        )
    )
