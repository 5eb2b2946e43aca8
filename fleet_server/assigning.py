"""Which devices are told now: within the maintenance window, and at the policy's pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from fleet_server import pace
from fleet_server.member import due, unsettled, went_well
from fleet_server.opening import opening_at
from fleet_server.rollout_state import Assign, Fact, Opening, Reschedule, Rollout
from wire.states import UpdateState

MOST: Final = 500
"""Devices that one look at a rollout signs something for: the writer has others to serve as well."""


def assign(
    rollout: Rollout, candidates: Sequence[Fact], facts: Sequence[Fact], now: float
) -> tuple[Rollout, list[Assign]]:
    """Tell as many of ``candidates`` as may be told now; the rollout remembers the pace's tokens."""
    policy = rollout.policy
    ready = [f for f in candidates if due(f, policy, now)]
    window = opening(rollout, now)
    if not ready or (policy.windows and (window is None or window.opens_at > now)):
        return rollout, []
    if policy.pace is None:
        return rollout, [Assign(f.device, window) for f in ready[:MOST]]
    waited_s = 0.0 if rollout.tokens_at is None else max(0.0, now - rollout.tokens_at)
    tokens = pace.allowed(policy.pace, rollout.tokens, waited_s, went_well(facts))
    chosen = ready[: min(MOST, pace.devices(tokens))]
    if not chosen:
        # Before the first device there is nothing to count from.
        began = now if rollout.tokens_at is None else rollout.tokens_at
        return msgspec.structs.replace(rollout, tokens_at=began), []
    spent = msgspec.structs.replace(rollout, tokens=tokens - len(chosen), tokens_at=now)
    return spent, [Assign(f.device, window) for f in chosen]


def opening(rollout: Rollout, now: float) -> Opening | None:
    """The maintenance window that is open, or the next; None when there is none (or none any more)."""
    started_at = now if rollout.started_at is None else rollout.started_at
    return opening_at(rollout.policy.windows, started_at, now)


def reschedule(rollout: Rollout, facts: Sequence[Fact], now: float) -> list[Reschedule]:
    """Wishes of devices that have not begun, where they name another window than the present one."""
    window = opening(rollout, now)
    if window is None:
        return []
    return [
        Reschedule(f.device, window)
        for f in facts
        if f.state is UpdateState.QUEUED
        and unsettled(f)
        and f.withdrawn_at is None
        and (f.closes_at != window.closes_at or f.held != (window.opens_at > now))
    ][:MOST]
