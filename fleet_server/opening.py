"""Maintenance windows: when devices may begin, counted from a rollout's start."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fleet_server.rollout_policy import MaintenanceWindow
from fleet_server.rollout_state import Opening

SHORTEST_S = 1.0
"""A rest of a window below this is none: devices are told whole seconds."""


def opening_at(windows: Sequence[MaintenanceWindow], started_at: float, now: float) -> Opening | None:
    """The window that is open at ``now``, of several the one that closes last; else the next; None: none."""
    found = [each for window in windows if (each := _next(window, started_at, now)) is not None]
    if open_now := [each for each in found if each.opens_at <= now]:
        return max(open_now, key=lambda each: each.closes_at)
    return min(found, key=lambda each: (each.opens_at, -each.closes_at), default=None)


def _next(window: MaintenanceWindow, started_at: float, now: float) -> Opening | None:
    """The first occurrence of a window that is not over at ``now``."""
    first, every = started_at + window.starts_in_s, window.every_s
    opens_at = first
    if every is not None and now > first:
        turn = math.floor((now - first) / every)
        opens_at = first + turn * every
        if opens_at + window.length_s < now + SHORTEST_S:
            opens_at = first + (turn + 1) * every
    closes_at = opens_at + window.length_s
    return None if closes_at < now + SHORTEST_S else Opening(opens_at, closes_at)
