"""Notices as a person reads them in a mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from wire.messages import AlertNotice
from wire.states import AlertEvent, AlertState

MOST_SUBJECT: Final = 160


def subject(notices: Sequence[AlertNotice]) -> str:
    """One line, whatever the notices hold."""
    first = notices[0]
    if len(notices) > 1:
        worst = max(notices, key=lambda notice: notice.severity.rank)
        open_now = sum(notice.state is not AlertState.RESOLVED for notice in notices)
        return one_line(f"[tinyfleet] {len(notices)} alerts, {open_now} not resolved, worst {worst.severity}")
    return one_line(f"[tinyfleet] {_headline(first)}: {first.message}")


def body(notices: Sequence[AlertNotice]) -> str:
    """Everything of each of them."""
    return "\n\n".join(_paragraphs(notice) for notice in notices) + "\n"


def one_line(text: str) -> str:
    """Without line breaks and control characters, which would begin another header."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:MOST_SUBJECT]


def _headline(notice: AlertNotice) -> str:
    if notice.state is AlertState.RESOLVED:
        return "resolved"
    again = ", again" if notice.event is AlertEvent.REOPENED else ""
    known = ", acknowledged" if notice.state is AlertState.ACKNOWLEDGED else ""
    return f"{notice.severity}{again}{known}"


def _paragraphs(notice: AlertNotice) -> str:
    lines = [f"Alert {notice.alert} ({notice.subject}): {_headline(notice)}", notice.message, ""]
    lines.append(f"Since:    {_moment(notice.since_unix_s)}; seen {notice.count} times")
    if notice.device_count:
        rest = notice.device_count - len(notice.devices)
        more = f" and {rest} more" if rest > 0 else ""
        lines.append(f"Devices:  {notice.device_count}: {', '.join(notice.devices)}{more}")
    lines += [f"Changed:  {notice.changed}"] if notice.changed else []
    lines += [f"To do:    {notice.advice}"] if notice.advice and notice.state is AlertState.OPEN else []
    if notice.event in (AlertEvent.ACKNOWLEDGED, AlertEvent.RESOLVED):
        note = f": {notice.note}" if notice.note else ""
        lines.append(f"By:       {notice.by}, {_moment(notice.at_unix_s)}{note}")
    lines.append(f"See:      {notice.url or f'tinyfleet alert show {notice.alert}'}")
    return "\n".join(lines)


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
