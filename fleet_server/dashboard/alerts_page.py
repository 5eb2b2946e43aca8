"""``/alerts``: what needs a person, what somebody knows, and what is over."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from fastapi import Request
from nicegui import ui

from fleet_server import queries
from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.access import fleet_of, serve
from fleet_server.dashboard.parts import box, text
from fleet_server.dashboard.table import Column, Table
from fleet_server.store import Row, Store
from wire.states import AlertState

_COLUMNS = (
    Column("id", "Alert", "link"),
    Column("severity", "Severity", "chip"),
    Column("message", "What", "wrap"),
    Column("kind", "Kind", wide=True),
    Column("devices", "Devices", right=True),
    Column("since", "Since", right=True),
    Column("last", "Last seen", right=True, wide=True),
)
_EMPTY = {
    AlertState.OPEN: "Nothing needs a person",
    AlertState.ACKNOWLEDGED: "Nothing that somebody knows of is going on",
    AlertState.RESOLVED: "Nothing was resolved yet",
}
_CHANNELS = (
    Column("name", "Channel"),
    Column("delivered", "Delivered", right=True),
    Column("waiting", "Waiting", right=True),
    Column("given_up", "Given up", right=True, wide=True),
    Column("trouble", "Trouble", "wrap"),
)

#: Alerts on the page; the older ones are told by the API.
SHOWN = 100


class Snapshot(NamedTuple):
    """What the page shows."""

    now: float
    counts: dict[str, int]
    alerts: list[Row]
    channels: list[Row]


async def page(request: Request, state: str = AlertState.OPEN) -> None:
    """Alerts of one state."""
    known = AlertState(state) if state in set(AlertState) else AlertState.OPEN
    await serve(request, AlertsView(fleet_of(request).store, known))


class AlertsView:
    """One table for each state, and who is told."""

    title = "Alerts"
    section = "Alerts"

    def __init__(self, store: Store, state: AlertState) -> None:
        self._store, self._state = store, state

    def load(self) -> Snapshot:
        """Three small queries."""
        return Snapshot(
            time.time(),
            queries.alert_counts(self._store),
            queries.alerts(self._store, self._state, SHOWN),
            queries.channels(self._store),
        )

    def build(self, _refresh: Callable[[], Awaitable[None]]) -> None:
        """Title, states, table, channels."""
        text("Alerts", tag="h1")
        self._tabs: dict[AlertState, ui.link] = {}
        with box("tabs", "nav").props('aria-label="States of alerts"'):
            for state in AlertState:
                self._tabs[state] = ui.link("", f"/alerts?state={state}")
        self._tabs[self._state].props("aria-current=page")
        with box("card", "section").props(f'aria-label="{fmt.words(self._state).capitalize()} alerts"'):
            self._table = Table(_COLUMNS, key="id", empty=_EMPTY[self._state])
        with box("card", "section").props('aria-label="Who is told"'):
            text("Who is told", tag="h2")
            self._channels = Table(
                _CHANNELS, key="name", empty="Nobody: tinyfleet serve --notify notify.toml"
            )

    def show(self, snapshot: Snapshot) -> None:
        """Bring everything up to date."""
        for state, link in self._tabs.items():
            link.text = f"{fmt.words(state).capitalize()} {snapshot.counts.get(state, 0):,}"
        self._table.show([_row(alert, snapshot.now) for alert in snapshot.alerts])
        self._channels.show([_channel(row) for row in snapshot.channels])


def _row(alert: Row, now: float) -> dict[str, Any]:
    return {
        "id": f"Alert {alert['id']}",
        "id_href": f"/alerts/{alert['id']}",
        "severity": alert["severity"],
        "severity_tone": fmt.tone(alert["severity"]),
        "message": fmt.headline(alert),
        "kind": fmt.words(alert["kind"]),
        "devices": alert["device_count"] or fmt.NONE,
        "since": fmt.ago(alert["since"], now),
        "last": fmt.ago(alert["last_at"], now),
    }


def _channel(row: Row) -> dict[str, Any]:
    return {**row, "trouble": (row["waiting"] and row["attempts"] and row["detail"]) or fmt.NONE}
