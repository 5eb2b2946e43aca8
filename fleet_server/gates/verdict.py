"""What a gate says of a rollout's current stage."""

from __future__ import annotations

from typing import Literal

import msgspec

from fleet_server.gates.policy import Need

Outcome = Literal["pass", "fail", "not_yet"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One gate at one moment."""

    gate: str
    outcome: Outcome
    reason: str = ""
    """One line with the figures that it was decided by."""
    need: Need = "no_harm"
