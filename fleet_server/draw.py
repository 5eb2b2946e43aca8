"""Lots: which stage and which arm each device of a rollout is in."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from fleet_server.rollout_policy import Policy
from fleet_server.rollout_state import Arm

FEWEST_FOR_CONTROL: Final = 4
"""A smaller stage has no control arm."""


class Candidate(NamedTuple):
    """A device that the rollout's version fits."""

    device: str
    restorable: bool
    """Whether it has a former version to stay on; otherwise it is never in a control arm."""
    named: frozenset[int]
    """Stages that name it, by their filter or their list."""


class Seat(NamedTuple):
    """A device's place in a rollout."""

    device: str
    stage: int
    arm: Arm
    lot: float
    """In [0, 1), uniform, reproducible from the rollout's number: its turn within the stage."""


def draw(rollout_id: int, policy: Policy, candidates: Sequence[Candidate]) -> list[Seat]:
    """Seats of a rollout's first devices, in exact proportions; devices that no stage takes get none.

    Stages take their devices in order. One by share takes as many as are missing to its share of all.
    """
    left = sorted(candidates, key=lambda each: _lot(rollout_id, "stage", each.device))
    seats: list[Seat] = []
    for stage, plan in enumerate(policy.plan):
        if plan.share is None:
            taken = [each for each in left if stage in each.named]
        else:
            reached = len(candidates) - len(left)
            # Of floats: 0.1 * 20 devices shall be 2, never 3.
            taken = left[: max(0, math.ceil(plan.share * len(candidates) - 1e-9) - reached)]
        gone = {each.device for each in taken}
        left = [each for each in left if each.device not in gone]
        seats += _arms(rollout_id, stage, policy.control_of(stage), taken)
    return seats


def draw_late(
    rollout_id: int, policy: Policy, newcomers: Sequence[Candidate], earliest: int, sizes: Mapping[int, int]
) -> list[Seat]:
    """Seats of devices that come later: in the same proportions, but in no stage before ``earliest``.

    ``earliest`` may be the number of the policy's stages, which is the release; there is no arm to draw then.
    ``sizes``: devices that each stage has already.
    """
    found = dict(sizes)
    seats: list[Seat] = []
    for each in newcomers:
        lot = _lot(rollout_id, "stage", each.device)
        stage = _stage_of(policy, each, lot)
        if stage is None:
            continue
        stage = max(stage, earliest)
        found[stage] = found.get(stage, 0) + 1
        share = policy.control_of(stage) if stage < len(policy.stages) else 0.0
        held = each.restorable and found[stage] >= FEWEST_FOR_CONTROL
        arm = Arm.CONTROL if held and _lot(rollout_id, "arm", each.device) < share else Arm.NEW
        seats.append(Seat(each.device, stage, arm, lot))
    return seats


def control_size(share: float, devices: int) -> int:
    """Devices of a stage that stay on the old version."""
    if share <= 0 or devices < FEWEST_FOR_CONTROL:
        return 0
    return max(1, round(share * devices))


def _stage_of(policy: Policy, each: Candidate, lot: float) -> int | None:
    for stage, plan in enumerate(policy.plan):
        if stage in each.named or (plan.share is not None and lot < plan.share):
            return stage
    return None


def _arms(rollout_id: int, stage: int, share: float, taken: Sequence[Candidate]) -> list[Seat]:
    turns = sorted(
        (each for each in taken if each.restorable), key=lambda each: _lot(rollout_id, "arm", each.device)
    )
    control = {each.device for each in turns[: control_size(share, len(taken))]}
    return [
        Seat(
            each.device,
            stage,
            Arm.CONTROL if each.device in control else Arm.NEW,
            _lot(rollout_id, "stage", each.device),
        )
        for each in taken
    ]


def _lot(rollout_id: int, what: str, device: str) -> float:
    digest = hashlib.sha256(f"{rollout_id}:{what}:{device}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
