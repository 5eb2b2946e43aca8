"""What a gate says of a rollout: all that the engine goes by."""

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
    """In words, as one clause with its figures."""
    need: Need = "no_harm"
