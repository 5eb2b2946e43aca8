"""Which notices a channel gets, and how patiently."""

from __future__ import annotations

from typing import Annotated

import msgspec

from wire.messages import AlertNotice, Name
from wire.states import AlertEvent, AlertKind, Severity

_Time = Annotated[float, msgspec.Meta(ge=0, le=30 * 86400)]


class Routing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys that every channel has."""

    name: Name
    min_severity: Severity = Severity.INFO
    kinds: tuple[AlertKind, ...] | None = None
    """None: all."""
    updates_every_s: _Time = 900.0
    """Of one alert; that it opened, got worse or is resolved is told at once, unless it flaps."""
    gather_s: _Time = 0.0
    """Messages are at least so far apart; what comes meanwhile goes together, where the channel can."""
    acknowledgements: bool = True
    """Whether it is told that somebody knows."""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    """Of one attempt, from its begin to its end."""
    retry_first_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 1.0
    retry_most_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 300.0
    give_up_after_s: Annotated[float, msgspec.Meta(gt=0, le=30 * 86400)] = 86400.0
    most_waiting: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1000
    """When more wait, the oldest are dropped and counted."""


def wants(routing: Routing, notice: AlertNotice) -> bool:
    """Whether the channel is told of it."""
    if notice.event is AlertEvent.ACKNOWLEDGED and not routing.acknowledgements:
        return False
    known = routing.kinds is None or notice.kind in routing.kinds
    return known and notice.severity.rank >= routing.min_severity.rank


def is_urgent(notice: AlertNotice) -> bool:
    """Whether it goes at once: not an update, and not the second time that an alert comes and goes."""
    if notice.event in (AlertEvent.REOPENED, AlertEvent.RESOLVED):
        return notice.reopened <= 1
    return notice.event is not AlertEvent.UPDATED
