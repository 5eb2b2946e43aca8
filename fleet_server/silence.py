"""Which silent devices belong together: those that fell silent at about the same time. Pure.

A device stays with its cause for as long as it is silent, so that an alert is about the same thing today
and tomorrow, and a new outage is never hidden in the alert of an old one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Final, NamedTuple

LONGEST_GAP_S: Final = 900.0
SHORTEST_GAP_S: Final = 1.0


class Silence(NamedTuple):
    """Of one device."""

    cause: str
    since: float
    """Unix time of the last that was heard of it."""


def gap_s(after_s: float) -> float:
    """Devices whose last words are no further apart may have one cause.

    A tenth of the time after which silence counts: an outage cuts devices off anywhere between two reports.
    """
    return min(LONGEST_GAP_S, max(SHORTEST_GAP_S, after_s / 10))


def attribute(
    known: Mapping[str, Silence], silent: Mapping[str, float], gap_s: float, old_before: float = -math.inf
) -> dict[str, Silence]:
    """Give every silent device a cause; ``known`` ones that were not heard since keep theirs.

    Those that are new, but were heard last before ``old_before``, share one: nobody watched when they left.
    """
    found = {
        device: before
        for device, before in known.items()
        if device in silent and silent[device] == before.since
    }
    spans: dict[str, tuple[float, float]] = {}
    for before in found.values():
        spans[before.cause] = _widened(spans.get(before.cause), before.since)
    fresh, fresh_at = "", -math.inf
    for device, since in sorted(silent.items(), key=lambda item: (item[1], item[0])):
        if device in found:
            continue
        at = max(since, old_before)
        cause = _near(spans, since, gap_s)
        if cause is not None:
            spans[cause] = _widened(spans[cause], since)
        elif fresh and at - fresh_at <= gap_s:
            cause, fresh_at = fresh, at
        else:
            cause = fresh = _name(spans.keys() | {fresh}, device, since)
            fresh_at = at
        found[device] = Silence(cause, since)
    return found


def _widened(span: tuple[float, float] | None, since: float) -> tuple[float, float]:
    return (since, since) if span is None else (min(span[0], since), max(span[1], since))


def _near(spans: Mapping[str, tuple[float, float]], since: float, gap_s: float) -> str | None:
    """The cause that began or went on closest to that time."""
    distances = {
        cause: max(first - since, since - last, 0.0) for cause, (first, last) in sorted(spans.items())
    }
    nearest = min(distances, key=lambda cause: distances[cause], default=None)
    return nearest if nearest is not None and distances[nearest] <= gap_s else None


def _name(taken: Set[str], device: str, since: float) -> str:
    """A device that comes and goes gives its cause the same name each time: its alert is opened again."""
    return device if device not in taken else f"{device}@{since:.3f}"
