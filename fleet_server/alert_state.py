"""What may become of an alert: open, acknowledged, resolved, and open again. Pure.

One alert of a kind and a key is open or acknowledged at a time. Whatever sees the same again changes that
one; what comes back soon after it was resolved opens the same one again, so that flapping makes no crowd.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from wire.errors import InputError
from wire.states import AlertEvent, AlertKind, AlertState, Severity

REOPEN_WITHIN_S: Final = 3600.0
"""What comes back within this after it was resolved is the same alert."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A cause for alarm, as it is seen now."""

    kind: AlertKind
    key: str
    """With ``kind``, the cause: while its alert is not resolved, there is no second one."""
    severity: Severity
    subject: str
    """``fleet``, ``rollout N``, ``model NAME`` or ``device ID``."""
    message: str
    devices: tuple[str, ...] = ()
    """All that are concerned at present."""
    since: float | None = None
    """Unix time since which it is so; None: since it was first seen."""
    changed: str = ""
    """What is not as it was."""
    advice: str = ""
    """What to do; the word NUMBER stands for the alert's own number."""


class Word(msgspec.Struct, frozen=True):
    """Who said so, and when."""

    at: float
    by: str = ""
    """Name of a token; empty: the server itself."""
    note: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it is kept."""

    alert: Alert
    """As it was last seen, with the worst severity since it opened."""
    state: AlertState = AlertState.OPEN
    opened_at: float
    seen_at: float
    since: float
    count: int = 1
    """How often it was seen."""
    reopened: int = 0
    """How often it came back."""
    word: Word | None = None
    """Who acknowledged or resolved it; None while it is open."""


class Change(NamedTuple):
    """An alert after something was said of it."""

    standing: Standing
    event: AlertEvent | None
    """None: nothing that anybody has to be told."""
    gained: tuple[str, ...] = ()
    """Devices that are new to it."""


def see(
    before: Standing | None, alert: Alert, now: float, reopen_within_s: float = REOPEN_WITHIN_S
) -> Change:
    """It is so, for the first time or still or again. ``OPENED`` means a new alert, not ``before``."""
    devices = tuple(sorted(set(alert.devices)))
    alert = replace(alert, devices=devices)
    since = now if alert.since is None else alert.since
    if before is None or ((over := _over_for(before, now)) is not None and over >= reopen_within_s):
        fresh = Standing(alert=alert, opened_at=now, seen_at=now, since=since)
        return Change(fresh, AlertEvent.OPENED, devices)
    known = set(before.alert.devices)
    gained = tuple(device for device in devices if device not in known)
    after = replace(
        before,
        alert=replace(alert, severity=max(before.alert.severity, alert.severity, key=lambda s: s.rank)),
        seen_at=max(before.seen_at, now),
        since=before.since if alert.since is None else alert.since,
        count=before.count + 1,
    )
    if before.state is AlertState.RESOLVED:
        again = replace(
            after,
            alert=alert,
            state=AlertState.OPEN,
            since=since,
            reopened=before.reopened + 1,
            word=None,
        )
        return Change(again, AlertEvent.REOPENED, gained)
    if alert.severity.rank > before.alert.severity.rank:
        return Change(replace(after, state=AlertState.OPEN, word=None), AlertEvent.ESCALATED, gained)
    other = bool(gained) or _essence(alert) != _essence(before.alert)
    return Change(after, AlertEvent.UPDATED if other else None, gained)


def acknowledge(before: Standing, word: Word) -> Change:
    """Somebody knows; InputError when it is over. Who said so first stays."""
    if before.state is AlertState.RESOLVED:
        raise InputError("resolved", "this alert is resolved", "if the cause is back, so will the alert")
    if before.state is AlertState.ACKNOWLEDGED:
        return Change(before, None)
    after = replace(before, state=AlertState.ACKNOWLEDGED, word=word)
    return Change(after, AlertEvent.ACKNOWLEDGED)


def resolve(before: Standing, word: Word) -> Change:
    """It is over; saying so again changes nothing."""
    if before.state is AlertState.RESOLVED:
        return Change(before, None)
    return Change(replace(before, state=AlertState.RESOLVED, word=word), AlertEvent.RESOLVED)


def _over_for(standing: Standing, now: float) -> float | None:
    """For how long it has been over, seconds; None while it is not."""
    if standing.state is not AlertState.RESOLVED:
        return None
    return now - (standing.word.at if standing.word else standing.seen_at)


def _essence(alert: Alert) -> tuple[str, str, str]:
    """What is worth a notice when it changes; the message may hold figures that always do."""
    return alert.subject, alert.changed, alert.advice
