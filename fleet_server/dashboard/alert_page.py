"""``/alerts/{number}``: one alert - which devices, since when, what changed, what to do, and who was told."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from fleet_server import queries
from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.access import fleet_of, serve
from fleet_server.dashboard.alerts import make_lines, show_lines
from fleet_server.dashboard.parts import Chip, Facts, Feed, Keyed, box, card, recolour, text
from fleet_server.dashboard.table import Column, Table
from fleet_server.store import Row, Store
from wire.states import AlertState

_DELIVERIES = (
    Column("channel", "Channel"),
    Column("event", "Told of"),
    Column("state", "Delivery", "chip"),
    Column("attempts", "Attempts", right=True),
    Column("at", "At", right=True, wide=True),
)

#: Devices on the page; the others are told by the API.
NAMED = 200


class Snapshot(NamedTuple):
    """What the page shows."""

    now: float
    alert: Row


async def page(request: Request, number: str) -> None:
    """One alert."""
    await serve(request, AlertView(fleet_of(request).store, number))


class AlertView:
    """Headline, what to do, devices, and what happened to it."""

    section = "Alerts"

    def __init__(self, store: Store, number: str) -> None:
        self._store = store
        # Longer than any id is none: SQLite's integers end.
        self._number = int(number) if number.isdecimal() and len(number) < 10 else 0
        self.title = f"Alert {number[:20]}"

    def load(self) -> Snapshot:
        """NotFoundError when there is no such alert."""
        return Snapshot(time.time(), queries.alert(self._store, self._number))

    def build(self, _refresh: Callable[[], Awaitable[None]]) -> None:
        """Headline, callout, then devices and deliveries beside what happened."""
        with box("head"):
            text(self.title, tag="h1")
            self._state, self._severity = Chip(), Chip()
            self._kind, self._subject = text(classes="note"), ui.link("", "/")
        with box("card callout") as self._callout:
            self._message = text(classes="title")
            self._lines = make_lines("stack-tight")
            self._commands = text(classes="note")
        with box("split"):
            with box("stack"):
                with card("Devices"):
                    self._rest = text(classes="note")
                    self._devices: Keyed[str, ui.link] = Keyed(box("names"), self._name)
                with card("Who was told"):
                    self._told = Table(_DELIVERIES, key="key", empty="Nobody yet")
            with box("stack"):
                with card("When"):
                    self._facts = Facts(("Since", "Opened", "Last seen", "Seen", "Came back"))
                self._history = Feed("What happened", "Nothing yet", subjects=False)

    def show(self, snapshot: Snapshot) -> None:
        """Bring everything up to date."""
        alert, now = snapshot.alert, snapshot.now
        self._state.show(alert["state"])
        self._severity.show(alert["severity"])
        elsewhere = fmt.subject_href(alert) != f"/alerts/{alert['id']}"
        about = "" if elsewhere else f" \N{MIDDLE DOT} {alert['subject']}"
        self._kind.text = f"{fmt.words(alert['kind'])}{about}"
        self._subject.visible = elsewhere
        self._subject.text = fmt.subject(alert)
        self._subject.props(f"href={fmt.subject_href(alert)}")
        recolour(self._callout, fmt.tone(alert["severity"]))
        self._message.text = fmt.headline(alert)
        show_lines(self._lines, alert)
        self._commands.text = _commands(alert)
        named = alert["devices"][:NAMED]
        for name, link in zip(named, self._devices.sync(named), strict=True):
            link.text = name
            link.props(f"href=/devices/{quote(name, safe='')}")
        rest = alert["device_count"] - len(named)
        self._rest.text = f"and {rest:,} more" if rest else "" if named else "It is about no device."
        self._rest.visible = bool(self._rest.text)
        self._told.show([_delivery(row, now) for row in alert["deliveries"]])
        self._facts.show(_facts(alert, now))
        self._history.show(alert["history"], now)

    @staticmethod
    def _name() -> tuple[ui.element, ui.link]:
        link = ui.link("", "/")
        return link, link


def _commands(alert: Row) -> str:
    """The dashboard only looks; what changes an alert is said on the command line."""
    number = alert["id"]
    over = f"When it is over: tinyfleet alert resolve {number}"
    if alert["state"] == AlertState.OPEN:
        return f"To take it up: tinyfleet alert ack {number} \N{MIDDLE DOT} {over}"
    note = f": {alert['note']}" if alert["note"] else ""
    said = f"{fmt.words(alert['state']).capitalize()} by {alert['changed_by']}{note}"
    return said if alert["state"] == AlertState.RESOLVED else f"{said} \N{MIDDLE DOT} {over}"


def _facts(alert: Row, now: float) -> dict[str, Any]:
    return {
        "Since": fmt.ago(alert["since"], now),
        "Opened": fmt.ago(alert["at"], now),
        "Last seen": fmt.ago(alert["last_at"], now),
        "Seen": fmt.many(alert["seen"], "time"),
        "Came back": fmt.many(alert["reopened"], "time"),
    }


def _delivery(row: Row, now: float) -> dict[str, Any]:
    return {
        **row,
        "key": f"{row['channel']} {row['notice']}",
        "state_tone": fmt.tone(row["state"]),
        "state_note": row["detail"],
        "at": fmt.ago(row["settled_at"], now),
    }
