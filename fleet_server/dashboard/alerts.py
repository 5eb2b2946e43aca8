"""Open alerts: first on the page, gone when there are none."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.parts import Chip, Keyed, box, recolour, text
from fleet_server.store import Row

Parts = tuple[ui.element, Chip, ui.label, ui.label, ui.link]


class Alerts:
    """One callout an alert, newest first."""

    def __init__(self) -> None:
        self._box = box("feed", "section").props('aria-label="Open alerts" role=region aria-live=polite')
        self._items: Keyed[int, Parts] = Keyed(self._box, self._make)

    def show(self, alerts: Sequence[Row], now: float) -> None:
        """Add what is new, remove what was closed."""
        self._box.visible = bool(alerts)
        parts = self._items.sync([alert["id"] for alert in alerts])
        for alert, (callout, severity, message, when, link) in zip(alerts, parts, strict=True):
            recolour(callout, fmt.tone(alert["severity"]))
            severity.show(alert["severity"])
            message.text, when.text = fmt.message(alert["message"]), fmt.ago(alert["at"], now)
            link.text = alert["subject"]
            link.props(f"href={fmt.subject_href(alert['subject'])}")

    @staticmethod
    def _make() -> tuple[ui.element, Parts]:
        with box("card callout row") as callout:
            severity, message = Chip(), text(classes="title")
            link, when = ui.link("", "/"), text(classes="note")
        return callout, (callout, severity, message, when, link)
