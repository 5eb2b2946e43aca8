"""The rollout engine: a pure function of (rollout, facts about its devices, verdicts of gates, time).

A rollout goes through stages. A part of each stage's devices, its control arm, stays on the old version
until the last stage has passed, and then gets the new one too. A stage passes when every device of it that
could be reached has settled, the soak is over, every confirmed device was *observed* (it reported a
telemetry window of the new version), no gate fails, and those that must prove something have proved it.
A device that was reached and says nothing until its deadline has failed. More failures than allowed, or a
gate that fails, stop the rollout, and every exposed device is told to run what it ran before.

Everything that is needed to go on after a kill is in the Rollout and the Facts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fleet_server.assigning import MOST, assign, reschedule
from fleet_server.gates.verdict import Verdict
from fleet_server.member import (
    failed,
    late,
    members,
    pending,
    restore_due,
    restore_retrying,
    unobserved,
    unsettled,
)
from fleet_server.rollout_stage import step_stage
from fleet_server.rollout_state import (
    ACTIVE,
    Action,
    Arm,
    Fact,
    Restore,
    Rollout,
    Settle,
    Withdraw,
    named,
    with_stage,
)
from wire.states import SETTLED, RolloutState, StageState, UpdateState

Step = tuple[Rollout, list[Action]]


def advance(rollout: Rollout, facts: Sequence[Fact], verdicts: Sequence[Verdict], now: float) -> Step:
    """One look at the rollout: its new state, and what must be done. Idempotent."""
    match rollout.state:
        case RolloutState.RUNNING | RolloutState.PAUSED:
            return _run(_counted(rollout, facts), facts, verdicts, now)
        case RolloutState.ROLLING_BACK:
            return _roll_back(rollout, facts, now)
        case RolloutState.STOPPED:
            return rollout, _leave(rollout, facts, now)
        case RolloutState.FINISHED:
            return _tend(rollout, facts, now)
    return rollout, []


def unfinished(rollout: Rollout, facts: Sequence[Fact], actions: Sequence[Action]) -> bool:
    """Whether the rollout must be looked at again, as far as it depends on its present devices."""
    if rollout.state is RolloutState.FINISHED:
        return bool(actions) or any(
            pending(f, rollout.policy) or unsettled(f) or unobserved(f) for f in facts
        )
    undoing = rollout.undone and any(restore_retrying(f, rollout.policy.retry) for f in facts)
    return rollout.state in ACTIVE or bool(actions) or undoing


def wants(rollout: Rollout, fact: Fact) -> bool:
    """Whether the device is not to be given to a rollout that comes after this one."""
    if rollout.state is RolloutState.FINISHED:
        return unsettled(fact) or (fact.state is None and not fact.overtaken)
    if rollout.state not in ACTIVE or fact.overtaken:
        return False
    if rollout.state is RolloutState.ROLLING_BACK:
        return fact.state is not None and fact.restored not in SETTLED
    # Confirmed is not done: it is still to be observed through the soak.
    done = fact.state in SETTLED and fact.state is not UpdateState.CONFIRMED
    return not done or pending(fact, rollout.policy)


def _run(rollout: Rollout, facts: Sequence[Fact], verdicts: Sequence[Verdict], now: float) -> Step:
    overdue = {f.device for f in facts if late(f, rollout.policy.deadline_s, now)}
    timed_out: list[Action] = [Settle(device, UpdateState.TIMED_OUT) for device in sorted(overdue)]
    why = _too_many_failed(rollout, facts, overdue) or _gate_failed(rollout, verdicts)
    if why:
        return _fail(rollout, why, now), timed_out
    actions = [*timed_out, *reschedule(rollout, facts, now)]
    if rollout.state is RolloutState.RUNNING:
        rollout, more = step_stage(rollout, facts, overdue, verdicts, now)
        actions += more
    return rollout, [*actions, *_successes(rollout, facts, overdue)]


def _tend(rollout: Rollout, facts: Sequence[Fact], now: float) -> Step:
    """After the end: newcomers, and devices that were away all the time."""
    overdue = {f.device for f in facts if late(f, rollout.policy.deadline_s, now)}
    timed_out: list[Action] = [Settle(device, UpdateState.TIMED_OUT) for device in sorted(overdue)]
    moved: list[Action] = [*reschedule(rollout, facts, now)]
    rollout, told = assign(rollout, facts, facts, now)
    return rollout, [*timed_out, *moved, *told, *_successes(rollout, facts, overdue)]


def _counted(rollout: Rollout, facts: Sequence[Fact]) -> Rollout:
    """The stages with the numbers of their devices as they are now: newcomers may have joined."""
    planned = len(rollout.policy.stages)
    devices, control = [0] * len(rollout.stages), [0] * len(rollout.stages)
    for fact in facts:
        stage = min(fact.stage, len(rollout.stages) - 1)
        devices[stage] += 1
        control[stage] += fact.arm is Arm.CONTROL
    stages = [
        msgspec.structs.replace(stage, devices=n, control=c)
        for stage, n, c in zip(rollout.stages, devices, control, strict=True)
    ]
    if planned < len(stages):
        count = len(members(rollout, facts, planned))
        stages[planned] = msgspec.structs.replace(stages[planned], devices=count, control=0)
    return msgspec.structs.replace(rollout, stages=tuple(stages))


def _too_many_failed(rollout: Rollout, facts: Sequence[Fact], overdue: set[str]) -> str:
    """Of any stage so far: a device may fall back long after its stage has passed."""
    for stage in range(rollout.current + 1):
        exposed = members(rollout, facts, stage)
        bad = [f for f in exposed if f.device in overdue or failed(f, rollout.policy.retry)]
        if len(bad) > rollout.policy.max_failed * len(exposed):
            reasons = sorted({"deadline" if f.device in overdue else f.reason for f in bad})
            return f"{', '.join(reasons)} on {len(bad)} of {len(exposed)} devices in {named(rollout, stage)}"
    return ""


def _gate_failed(rollout: Rollout, verdicts: Sequence[Verdict]) -> str:
    """During the release the control arm changes as well, so that comparisons with it say nothing."""
    released = rollout.stage.kind == "release"
    for verdict in verdicts:
        if verdict.outcome == "fail" and (not released or verdict.gate == "failures"):
            return f"{verdict.gate}: {verdict.reason}" if verdict.reason else verdict.gate
    return ""


def _fail(rollout: Rollout, reason: str, now: float) -> Rollout:
    ended = with_stage(rollout, state=StageState.FAILED, ended_at=now)
    return msgspec.structs.replace(ended, state=RolloutState.ROLLING_BACK, reason=reason, undone=True)


def _successes(rollout: Rollout, facts: Sequence[Fact], overdue: set[str]) -> list[Action]:
    """Confirmed and observed devices of stages that have passed."""
    planned, last = len(rollout.policy.stages), len(rollout.stages) - 1
    return [
        Settle(f.device, UpdateState.SUCCEEDED)
        for f in facts
        if f.state is UpdateState.CONFIRMED
        and f.observed
        and f.device not in overdue
        and _has_passed(rollout, min(planned if f.arm is Arm.CONTROL else f.stage, last))
    ]


def _has_passed(rollout: Rollout, stage: int) -> bool:
    return rollout.state is RolloutState.FINISHED or rollout.stages[stage].state is StageState.PASSED


def _roll_back(rollout: Rollout, facts: Sequence[Fact], now: float) -> Step:
    actions = _undo(rollout, facts, now)
    if actions or any(_undoing(rollout, f, now) for f in facts):
        return rollout, actions[:MOST]
    return msgspec.structs.replace(rollout, state=RolloutState.STOPPED), []


def _leave(rollout: Rollout, facts: Sequence[Fact], now: float) -> list[Action]:
    """What a stopped rollout still owes its devices."""
    if rollout.undone:
        return _undo(rollout, facts, now)[:MOST]
    withdrawn: list[Action] = [
        Withdraw(f.device)
        for f in facts
        if (f.state is UpdateState.QUEUED or rollout.aborted) and _withdrawable(f)
    ]
    return withdrawn[:MOST]


def _undo(rollout: Rollout, facts: Sequence[Fact], now: float) -> list[Action]:
    """Who has begun gets the former version; who has not, or has none, is told not to go on."""
    actions: list[Action] = []
    for fact in facts:
        if fact.state is None or fact.away:
            continue
        if fact.restored is not None:
            if restore_due(fact, rollout.policy.retry, now):
                actions.append(Restore(fact.device))
        elif fact.restorable and fact.state not in (UpdateState.QUEUED, UpdateState.CANCELED):
            actions.append(Restore(fact.device))
        elif _withdrawable(fact):
            actions.append(Withdraw(fact.device))
    return actions


def _withdrawable(fact: Fact) -> bool:
    """A device that timed out may still be at work."""
    at_work = unsettled(fact) or (fact.state is UpdateState.TIMED_OUT and not fact.away)
    return at_work and fact.withdrawn_at is None and fact.restored is None


def _undoing(rollout: Rollout, fact: Fact, now: float) -> bool:
    """A silent device does not hold the rollback up: its retained wish waits for it."""
    if fact.away or fact.state is None:
        return False
    if fact.restored is not None:
        since = fact.restore_issued_at
        open_ = fact.restored not in SETTLED or restore_retrying(fact, rollout.policy.retry)
    else:
        since, open_ = fact.withdrawn_at, unsettled(fact) and fact.reached_at is not None
    return open_ and since is not None and now - since <= rollout.policy.deadline_s
