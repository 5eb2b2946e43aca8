"""Looks for silent devices, and keeps one alert a cause; it is resolved when all are back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlite_utils import Database

from fleet_server import alerts, tags
from fleet_server.alerts import Alert, AlertKind, Severity
from fleet_server.membership import Filters, by_tags
from fleet_server.silence import Silence, attribute, gap_s
from fleet_server.store import Row, Store

LONGEST_LOOK_S: Final = 60.0
_FLEET: Final = """
    SELECT device, seen_at, presence, board, target, runtime, ram_bytes, flash_bytes, model, version
    FROM devices WHERE hardware IS NOT NULL ORDER BY device"""
_UPDATED_BEFORE_S: Final = 3600.0
Tags = dict[str, tags.Tags]


class Policy(NamedTuple):
    """What counts as silent."""

    after_s: float
    """0: nothing does."""
    where: str | None = None
    """A filter: which devices should never be silent for long; None: all that ever said what they are."""


class Watch:
    """The clock of the looks. While the server itself hears nothing, nobody is blamed for silence."""

    def __init__(self, policy: Policy, filters: Filters = by_tags) -> None:
        self._policy, self._filters = policy, filters
        self._listening_since: float | None = None
        self._looked_at = 0.0

    def tick(self, store: Store, now: float, *, listening: bool) -> None:
        """Look when it is time to."""
        policy = self._policy
        if policy.after_s <= 0 or not listening:
            self._listening_since = None
            return
        if self._listening_since is None:
            self._listening_since = now
        if now - self._looked_at < min(LONGEST_LOOK_S, policy.after_s / 20):
            return
        self._looked_at, heard_from = now, self._listening_since
        # The writer is busy with telemetry: it is asked only when there is something, and for that alone.
        if store.read(lambda db: _is_calm(db, now - policy.after_s)):
            return
        found = store.read(lambda db: examine(db, policy, heard_from, now, self._filters))
        store.write(lambda db: keep(db, found, now))


class Found(NamedTuple):
    """What a look brought."""

    before: dict[str, Silence]
    after: dict[str, Silence]
    alerts: list[Alert]
    over: list[str]
    """Causes whose devices were all heard again."""


def examine(db: Database, policy: Policy, listening_since: float, now: float, filters: Filters) -> Found:
    """Find who is silent and who is back. Reads only."""
    wanted: Callable[[Row], bool] = filters(db, policy.where) if policy.where else _everyone
    fleet = [row for row in db.query(_FLEET) if wanted(row)]
    kept = db.query("SELECT * FROM silences")
    before = {row["device"]: Silence(row["cause"], row["since"]) for row in kept}
    silent = {
        row["device"]: row["seen_at"]
        for row in fleet
        if now - max(row["seen_at"], listening_since) > policy.after_s or _still(before, row)
    }
    after = attribute(before, silent, gap_s(policy.after_s), now - 2 * policy.after_s)
    groups: dict[str, list[Row]] = {}
    for row in fleet:
        if row["device"] in after:
            groups.setdefault(after[row["device"]].cause, []).append(row)
    open_now = "SELECT key FROM alerts WHERE kind = ? AND state != 'resolved'"
    unresolved = {key for (key,) in db.execute(open_now, (AlertKind.SILENT,))}
    gained = {silence.cause for device, silence in after.items() if before.get(device) != silence}
    # What a person has resolved stays so, until more devices join those that he knows of.
    told = sorted(groups.keys() & (gained | unresolved))
    known = tags.read_all(db)
    everywhere = _common(fleet, known)
    return Found(
        before,
        after,
        [_alert(db, cause, groups[cause], len(fleet), known, everywhere) for cause in told],
        sorted(unresolved - groups.keys()),
    )


def keep(db: Database, found: Found, now: float) -> None:
    """Remember it, and bring the alerts up to date."""
    before, after = found.before, found.after
    db.conn.executemany("DELETE FROM silences WHERE device = ?", [(d,) for d in before.keys() - after.keys()])
    db.conn.executemany(
        "INSERT OR REPLACE INTO silences VALUES (?, ?, ?)",
        [(device, *silence) for device, silence in after.items() if before.get(device) != silence],
    )
    for alert in found.alerts:
        alerts.raise_alert(db, now, alert)
    for cause in found.over:
        alerts.resolve(db, now, AlertKind.SILENT, cause, "every device was heard again")


def _is_calm(db: Database, since: float) -> bool:
    """Nobody is silent, and nobody was."""
    found = db.execute(
        """SELECT EXISTS (SELECT 1 FROM devices WHERE seen_at < ? AND hardware IS NOT NULL)
           OR EXISTS (SELECT 1 FROM silences)""",
        (since,),
    ).fetchone()
    return not found[0]


def _still(before: Mapping[str, Silence], row: Row) -> bool:
    """Known to be silent, and not heard since: a server that has just begun to listen need not wait."""
    known = before.get(row["device"])
    return known is not None and known.since == row["seen_at"]


def _alert(
    db: Database, cause: str, group: Sequence[Row], total: int, known: Tags, everywhere: Set[str]
) -> Alert:
    names = tuple(row["device"] for row in group)
    first, last = min(row["seen_at"] for row in group), max(row["seen_at"] for row in group)
    one = len(group) == 1
    most = len(group) >= 2 and 2 * len(group) >= total
    heard = f"last heard at {_moment(first)}" if one else f"last heard {_moment(first)} to {_moment(last)}"
    shared = [] if one else [f"all {trait}" for trait in sorted(_common(group, known) - everywhere)][:5]
    rollouts = [
        f"rollout {number} told {count} of {len(group)} to change in the hour before"
        for number, count in _updates(db, group).most_common(1)
    ]
    return Alert(
        kind=AlertKind.SILENT,
        key=cause,
        severity=Severity.CRITICAL if most else Severity.WARNING,
        subject=f"device {names[0]}" if one else "fleet",
        message=f"{names[0] if one else f'{len(group)} devices'} silent since {_moment(first)}",
        devices=names,
        since=first,
        changed="; ".join([heard, *shared, *rollouts]),
        advice=f"check its power and network; see: tinyfleet device show {names[0]}"
        if one
        else "they fell silent together: look for what they share, such as power, network or an update",
    )


def _common(rows: Sequence[Row], known: Tags) -> set[str]:
    """What all of them are, run, and are tagged with."""
    traits = (_traits(row, known.get(row["device"], {})) for row in rows)
    common = next(traits, set())
    for own in traits:
        common &= own
        if not common:
            break
    return common


def _traits(row: Row, own: tags.Tags) -> set[str]:
    running = {f"run {row['model']} v{row['version']}"} if row["model"] else set()
    tagged = {f"tagged {name}={value}" for name, values in own.items() for value in values}
    return {f"are {row['board']}", *running, *tagged}


def _updates(db: Database, group: Sequence[Row]) -> Counter[Any]:
    names = msgspec.json.encode([row["device"] for row in group]).decode()
    rows = db.query(
        """SELECT ifnull(a.rollout, a.restores) AS rollout, count(DISTINCT a.device) AS n
           FROM assignments a JOIN devices d USING (device) JOIN json_each(?) j ON j.value = a.device
           WHERE a.issued_at BETWEEN d.seen_at - ? AND d.seen_at + ?
             AND ifnull(a.rollout, a.restores) IS NOT NULL GROUP BY 1""",
        (names, _UPDATED_BEFORE_S, _UPDATED_BEFORE_S),
    )
    return Counter({row["rollout"]: row["n"] for row in rows})


def _everyone(_row: Row) -> bool:
    return True


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
