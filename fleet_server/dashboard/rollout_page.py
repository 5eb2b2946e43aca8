"""``/rollouts/{number}``: how far one rollout is, and why it stopped."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from fastapi import Request

from fleet_server import gatekeeper, listing, queries
from fleet_server.dashboard import field, stages
from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.access import fleet_of, serve
from fleet_server.dashboard.gates import GateList
from fleet_server.dashboard.parts import Bar, Bars, Chip, Feed, box, card, recolour, text
from fleet_server.dashboard.table import Column, PagedTable
from fleet_server.gates.judgement import Judgement, settings
from fleet_server.gates.policy import Gates
from fleet_server.store import Row, Store

_COLUMNS = (
    Column("device", "Device", "link", sort=True),
    Column("stage", "Stage", sort=True, wide=True),
    Column("state", "State", "chip", sort=True),
    Column("downloaded", "Downloaded", sort=True, right=True, wide=True),
    Column("restored", "Restored", "note", sort=True),
)


class Snapshot(NamedTuple):
    """What the page of one rollout shows."""

    now: float
    rollout: Row
    stages: list[Row]
    events: list[Row]
    members: list[Row]
    matching: int
    field: field.FieldData
    judgements: list[Judgement]


async def page(request: Request, number: str) -> None:
    """One rollout."""
    await serve(request, RolloutView(fleet_of(request).store, number))


class RolloutView:
    """Stages, counts, devices, and how the versions do beside it."""

    section = "Rollouts"

    def __init__(self, store: Store, number: str) -> None:
        self._store = store
        self._field = field.FieldSource(store)
        # Longer than any id is none: SQLite's integers end.
        self._number = int(number) if number.isdecimal() and len(number) < 10 else 0
        self._table: PagedTable | None = None
        self.title = f"Rollout {number[:20]}"

    def load(self) -> Snapshot:
        """NotFoundError when there is no such rollout."""
        store, number = self._store, self._number
        rollout = queries.rollout_summary(store, number)
        query = self._table.page if self._table else listing.Page(sort="stage")
        members, matching = listing.members(store, number, query)
        look = store.read(lambda db: gatekeeper.latest(db, number))
        return Snapshot(
            now=time.time(),
            rollout=rollout,
            stages=queries.stages(store, number),
            events=queries.events_of(store, f"rollout {number}", 20),
            members=members,
            matching=matching,
            field=self._field.load(),
            judgements=look.judgements if look is not None else [],
        )

    def build(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Headline, stages, then devices beside counts."""
        with box("head"):
            text(self.title, tag="h1")
            self._state, self._what = Chip(), text(classes="note")
        with box("card callout") as self._callout:
            self._why = text(classes="title")
            self._then = text(classes="note")
        with card("Stages"):
            self._track = stages.Track()
            self._policy = text(classes="note").style("margin-top: 12px")
        self._gates = GateList()
        with box("split"):
            with box("stack"):
                self._table = PagedTable(
                    "Devices",
                    _COLUMNS,
                    key="device",
                    empty="No device matches",
                    changed=refresh,
                    sort="stage",
                )
            with box("stack"):
                self._counts = Bars("Exposed devices by state", "No device was told yet")
                self._charts = field.FieldCharts("stack")
                self._events = Feed("What happened", "Nothing yet", subjects=False)

    def show(self, snapshot: Snapshot) -> None:
        """Bring everything up to date."""
        rollout = snapshot.rollout
        bundle = rollout["bundle"]
        self._state.show(rollout["state"])
        self._what.text = (
            f"{fmt.version(bundle['model'], bundle['version'])} to {fmt.many(rollout['total'], 'device')}, "
            f"begun {fmt.ago(rollout['created_at'], snapshot.now)}"
        )
        self._show_reason(rollout)
        self._track.show(rollout, snapshot.stages, snapshot.now)
        self._policy.text = _policy(rollout["policy"])
        self._gates.show(snapshot.judgements, _silent(rollout["policy"], snapshot.judgements))
        self._counts.show(
            [Bar(fmt.words(state), n, fmt.tone(state)) for state, n in sorted(rollout["counts"].items())]
        )
        self._events.show(snapshot.events, snapshot.now)
        if self._table:
            self._table.fill([_row(row) for row in snapshot.members], snapshot.matching)
        self._charts.show(snapshot.field)

    def _show_reason(self, rollout: Row) -> None:
        halted = rollout["state"] in ("stopped", "rolling_back")
        self._callout.visible = halted
        recolour(self._callout, fmt.tone(rollout["state"]))
        self._why.text = f"Stopped: {fmt.why(rollout['reason'])}" if halted else ""
        told, total = rollout["exposed"], rollout["total"]
        self._then.text = (
            f"Told to take it: {told} of {fmt.many(total, 'device')}. Never told: {total - told}."
        )


def _silent(policy: Row, judgements: Sequence[Judgement]) -> list[str]:
    """Gates that are switched on, but have nothing to go by."""
    spoken = {judgement.gate for judgement in judgements}
    return [name for name in settings(msgspec.convert(policy["gates"], Gates)) if name not in spoken]


def _policy(policy: Row) -> str:
    return (
        f"Stops when more than {fmt.percent(policy['max_failed'], 0)} of a stage's devices fail. "
        f"A device has {fmt.span(policy['deadline_s'])} to confirm and report; "
        f"a stage soaks for {fmt.span(policy['soak_s'])} before the next."
    )


def _row(row: Row) -> dict[str, Any]:
    refused = row["refused"] is not None
    untold = "held back to compare" if row["arm"] == "control" else "waiting"
    state = "left out" if refused else fmt.words(row["state"]) if row["state"] else untold
    parts = (fmt.reason(row["reason"]), row["detail"], row["refused"])
    restored = row["restored"]
    return {
        "device": row["device"],
        "device_href": f"/devices/{quote(row['device'], safe='')}",
        "stage": fmt.NONE if refused else row["stage"] + 1,
        "state": state,
        "state_tone": fmt.tone(row["state"]),
        "state_note": " · ".join(part for part in parts if part),
        "downloaded": fmt.size(row["downloaded_bytes"]),
        "restored": fmt.words(restored),
        "restored_note": f"{fmt.size(row['restore_downloaded_bytes'])} downloaded for it" if restored else "",
    }
