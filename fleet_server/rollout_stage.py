"""One step of a rollout's current stage: scheduled, running, soaking, passed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fleet_server.assigning import MOST, assign, opening
from fleet_server.gates.verdict import Verdict
from fleet_server.member import members, pending, unobserved, unsettled
from fleet_server.rollout_state import Action, Arm, Fact, Join, Rollout, Stage, named, with_stage
from wire.states import SETTLED, RolloutState, StageState

Step = tuple[Rollout, list[Action]]


def step_stage(
    rollout: Rollout, facts: Sequence[Fact], late: set[str], verdicts: Sequence[Verdict], now: float
) -> Step:
    """Move the current stage on; ``late`` devices are about to be written down as timed out."""
    strays: list[Action] = [Join(f.device, rollout.current) for f in facts if _stray(rollout, f)]
    if strays or not facts:
        return rollout, strays[:MOST]
    present = [f for f in members(rollout, facts, rollout.current) if not f.overtaken]
    if rollout.stage.skip or not present:
        return _passed(rollout, facts, now), []
    if rollout.stage.state is StageState.SCHEDULED:
        if _unapproved(rollout):
            reason = f"{named(rollout, rollout.current)} waits for approval"
            return msgspec.structs.replace(rollout, reason=reason), []
        began = with_stage(rollout, state=StageState.RUNNING, started_at=now)
        rollout = msgspec.structs.replace(began, reason="")
    rollout, told = assign(rollout, present, facts, now)
    if told:
        return rollout, [*told]
    if any(pending(f, rollout.policy) for f in present):
        return _out_of_windows(rollout, now), []
    return _settled(rollout, [f for f in present if f.device not in late], facts, verdicts, now), []


def _settled(
    rollout: Rollout,
    awaited: Sequence[Fact],
    facts: Sequence[Fact],
    verdicts: Sequence[Verdict],
    now: float,
) -> Rollout:
    """Everyone was told: from running to soaking, and from there to the end of the stage."""
    reached = [f for f in awaited if f.reached_at is not None or f.state in SETTLED]
    if not reached or any(unsettled(f) for f in reached):
        return rollout
    stage = rollout.stage
    if stage.state is StageState.RUNNING:
        return with_stage(rollout, state=StageState.SOAKING, soaking_at=now)
    soak_s = rollout.policy.soak_of(rollout.current)
    soaked = stage.soaking_at is not None and now - stage.soaking_at >= soak_s
    if not soaked or any(unobserved(f) for f in reached):
        return rollout
    unproved = [v for v in verdicts if v.need == "proof" and v.outcome != "pass"]
    if unproved and stage.kind != "release":
        return _wait_for_proof(rollout, unproved, now)
    return _passed(rollout, facts, now)


def _wait_for_proof(rollout: Rollout, unproved: Sequence[Verdict], now: float) -> Rollout:
    waiting_at = rollout.stage.waiting_at
    if waiting_at is None:
        return with_stage(rollout, waiting_at=now)
    if now - waiting_at < rollout.policy.patience_s:
        return rollout
    gates = "; ".join(f"{v.gate}: {v.reason}" if v.reason else v.gate for v in unproved)
    reason = f"{named(rollout, rollout.current)} needs attention, no proof from {gates}"
    return msgspec.structs.replace(rollout, state=RolloutState.PAUSED, reason=reason)


def _passed(rollout: Rollout, facts: Sequence[Fact], now: float) -> Rollout:
    """End the stage; after the policy's last, the devices of the control arm are still to come."""
    ended = with_stage(rollout, state=StageState.PASSED, ended_at=now)
    following = rollout.current + 1
    if following < len(ended.stages):
        return msgspec.structs.replace(ended, current=following)
    planned = len(rollout.policy.stages)
    left = any(f.arm is Arm.CONTROL or f.stage >= planned or f.state is None for f in facts)
    if following == planned and left:
        release = (*ended.stages, Stage(kind="release"))
        return msgspec.structs.replace(ended, stages=release, current=planned)
    return msgspec.structs.replace(ended, state=RolloutState.FINISHED, reason="all stages passed")


def _stray(rollout: Rollout, fact: Fact) -> bool:
    """Not told before its stage was skipped; the control arm waits for its own stage."""
    before = fact.stage < rollout.current and fact.arm is Arm.NEW
    return before and fact.state is None and not fact.overtaken


def _unapproved(rollout: Rollout) -> bool:
    plan = rollout.policy.plan
    needed = rollout.current < len(plan) and plan[rollout.current].approval
    return needed and not rollout.stage.approved


def _out_of_windows(rollout: Rollout, now: float) -> Rollout:
    if not rollout.policy.windows or opening(rollout, now) is not None:
        return rollout
    reason = f"{named(rollout, rollout.current)} needs attention, no maintenance window is left"
    return msgspec.structs.replace(rollout, state=RolloutState.PAUSED, reason=reason)
