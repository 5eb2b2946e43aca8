"""Open alerts: first on the page, gone when there are none."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.parts import Chip, Keyed, box, recolour, text
from fleet_server.store import Row

Lines = tuple[ui.label, ui.label, ui.label]
Parts = tuple[ui.element, Chip, ui.label, ui.label, ui.link, Lines]


class Alerts:
    """One callout an alert, newest first: what, which devices, since when, what changed, what to do."""

    def __init__(self) -> None:
        self._box = box("feed", "section").props('aria-label="Open alerts" role=region aria-live=polite')
        self._items: Keyed[int, Parts] = Keyed(self._box, self._make)

    def show(self, alerts: Sequence[Row], now: float) -> None:
        """Add what is new, remove what was closed."""
        self._box.visible = bool(alerts)
        made = self._items.sync([alert["id"] for alert in alerts])
        for alert, (callout, severity, message, when, link, lines) in zip(alerts, made, strict=True):
            recolour(callout, fmt.tone(alert["severity"]))
            severity.show(alert["severity"])
            message.text, when.text = fmt.headline(alert), f"since {fmt.ago(alert['since'], now)}"
            link.text = fmt.subject(alert)
            link.props(f"href={fmt.subject_href(alert)}")
            show_lines(lines, alert)

    @staticmethod
    def _make() -> tuple[ui.element, Parts]:
        with box("card callout row") as callout:
            severity, message = Chip(), text(classes="title")
            link, when = ui.link("", "/"), text(classes="note")
            lines = make_lines("more")
        return callout, (callout, severity, message, when, link, lines)


def make_lines(classes: str) -> Lines:
    """Elements for devices, what changed, and what to do."""
    with box(classes):
        return text(classes="note"), text(classes="note"), text(classes="note")


def show_lines(lines: Lines, alert: Row) -> None:
    """Fill them; who has nothing to say is not there."""
    devices, changed, advice = lines
    devices.text = fmt.devices(alert["devices"], alert["device_count"])
    changed.text = f"Changed: {alert['changed']}" if alert["changed"] else ""
    advice.text = f"To do: {fmt.advice(alert)}" if alert["advice"] else ""
    for line in lines:
        line.visible = bool(line.text)
