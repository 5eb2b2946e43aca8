"""``/``: how the fleet is, at a glance."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import Request

from fleet_server import listing, queries
from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.access import fleet_of, serve
from fleet_server.dashboard.alerts import Alerts
from fleet_server.dashboard.parts import Bar, Bars, Feed, Tile, box, text
from fleet_server.dashboard.table import Column, PagedTable
from fleet_server.store import Row, Store

_COLUMNS = (
    Column("device", "Device", "link", sort=True),
    Column("presence", "Presence", "chip", sort=True),
    Column("board", "Board", sort=True, wide=True),
    Column("version", "Runs", sort=True),
    Column("state", "Last update", "chip", sort=True),
    Column("seen", "Last seen", sort=True, right=True, wide=True),
)


class Snapshot(NamedTuple):
    """What the page shows."""

    now: float
    counts: Row
    wanted: list[Row]
    overview: dict[str, list[Row]]
    alerts: list[Row]
    events: list[Row]
    devices: list[Row]
    matching: int


async def page(request: Request) -> None:
    """The overview."""
    await serve(request, FleetView(fleet_of(request).store))


class FleetView:
    """Counts, alerts, devices, events."""

    title = "Fleet"
    section = "Fleet"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._query = listing.Page()

    def load(self) -> Snapshot:
        """About ten small queries."""
        store = self._store
        devices, matching = listing.devices(store, self._devices.page if self._built else listing.Page())
        return Snapshot(
            now=time.time(),
            counts=queries.counts(store),
            wanted=queries.wanted(store),
            overview=queries.overview(store),
            alerts=queries.open_alerts(store),
            events=queries.events(store, 12),
            devices=devices,
            matching=matching,
        )

    _built = False

    def build(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Tiles, alerts, then the table beside the counts."""
        text("Fleet", tag="h1")
        with box("tiles"):
            self._total, self._online = Tile("devices"), Tile("online")
            self._current, self._open = Tile("on the newest version"), Tile("open alerts")
        self._alerts = Alerts()
        with box("split"):
            with box("stack"):
                self._devices = PagedTable(
                    "Devices", _COLUMNS, key="device", empty="No device matches", changed=refresh
                )
            with box("stack"):
                self._versions = Bars("Devices by version", "No devices yet")
                self._states = Bars("Devices by state of their last update", "No devices yet")
                self._boards = Bars("Devices by board", "No devices yet")
                self._events = Feed("Recent events", "Nothing has happened yet")
        self._built = True

    def show(self, snapshot: Snapshot) -> None:
        """Bring everything up to date."""
        self._show_tiles(snapshot)
        self._alerts.show(snapshot.alerts, snapshot.now)
        self._devices.fill([_row(row, snapshot.now) for row in snapshot.devices], snapshot.matching)
        overview = snapshot.overview
        self._versions.show(
            [Bar(_runs(row["model"], row["version"]), row["devices"]) for row in overview["versions"]]
        )
        self._states.show(
            [
                Bar(
                    _state(row["state"]),
                    row["devices"],
                    fmt.tone(row["state"]),
                )
                for row in overview["states"]
            ]
        )
        self._boards.show(
            [Bar(row["board"] or "not reported yet", row["devices"]) for row in overview["boards"]]
        )
        self._events.show(snapshot.events, snapshot.now)

    def _show_tiles(self, snapshot: Snapshot) -> None:
        counts = snapshot.counts
        devices = counts["devices"]
        wanted = ", ".join(fmt.version(row["model"], row["version"]) for row in snapshot.wanted)
        self._total.show(devices)
        self._online.show(counts["online"], devices)
        note = f"{wanted} (stopped rollouts aside)" if wanted else "nothing rolled out yet"
        self._current.show(
            counts["up_to_date"],
            devices,
            note,
        )
        self._open.show(counts["alerts"], tone="bad" if counts["alerts"] else "")


def _runs(model: str | None, version: int | None) -> str:
    return fmt.version(model, version) if model else "no model yet"


def _state(state: str | None) -> str:
    return fmt.words(state) if state else "none yet"


def _row(row: Row, now: float) -> dict[str, Any]:
    note = " · ".join(part for part in (fmt.reason(row["reason"]), row["detail"]) if part)
    return {
        "device": row["device"],
        "device_href": f"/devices/{quote(row['device'], safe='')}",
        "presence": row["presence"],
        "presence_tone": fmt.tone(row["presence"]),
        "board": row["board"] or fmt.NONE,
        "version": _runs(row["model"], row["version"]),
        "state": _state(row["state"]),
        "state_tone": fmt.tone(row["state"]),
        "state_note": note,
        "seen": fmt.ago(row["seen_at"], now),
    }
