"""Why a rollout is where it is, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from fleet_server.gates.judgement import Judgement, settings
from fleet_server.member import failed, late, pending, retrying, unobserved, unsettled
from fleet_server.opening import opening_at
from fleet_server.rollout_state import Arm, Fact, Rollout, named
from wire.states import RolloutState, StageState


def explain(
    rollout: Rollout, facts: Sequence[Fact], judgements: Sequence[Judgement], now: float
) -> list[str]:
    """Sentences: where it is, whom it waits for, and what its gates say."""
    lines = [_headline(rollout)]
    if rollout.state is RolloutState.ROLLING_BACK:
        lines += _undoing(facts)
    if rollout.state in (RolloutState.RUNNING, RolloutState.PAUSED):
        lines += _stage(rollout, facts, now)
    lines += _failures(rollout, facts)
    lines += [_gate(judgement) for judgement in judgements]
    if rollout.state in (RolloutState.RUNNING, RolloutState.PAUSED):
        lines += _silent_gates(rollout, judgements)
    return lines


def _headline(rollout: Rollout) -> str:
    bundle = rollout.bundle
    where = f", {named(rollout, rollout.current)}" if rollout.state is RolloutState.RUNNING else ""
    why = f": {rollout.reason}" if rollout.reason else ""
    state = "being rolled back" if rollout.state is RolloutState.ROLLING_BACK else rollout.state
    return f"{bundle.model} v{bundle.version} is {state}{where}{why}."


def _stage(rollout: Rollout, facts: Sequence[Fact], now: float) -> list[str]:
    stage, policy = rollout.stage, rollout.policy
    release = rollout.current >= len(policy.stages)
    plan = None if release else policy.plan[rollout.current]
    lines = []
    if plan is not None and plan.approval and not stage.approved:
        stage_name = named(rollout, rollout.current)
        lines.append(f"It waits for approval of {stage_name}: tinyfleet rollout approve {rollout.id}.")
    lines += _window(rollout, now)
    here = [fact for fact in facts if _belongs(fact, rollout)]
    lines += _waiting(here, rollout, now)
    if stage.state is StageState.SOAKING and stage.soaking_at is not None:
        left = stage.soaking_at + policy.soak_of(rollout.current) - now
        watched = f"is being watched for another {left:.0f} s" if left > 0 else "has been watched long enough"
        lines.append(f"Every device that can be reached has settled; the stage {watched}.")
    return lines


def _belongs(fact: Fact, rollout: Rollout) -> bool:
    if rollout.current >= len(rollout.policy.stages):
        return fact.arm is Arm.CONTROL or fact.stage >= rollout.current
    return fact.arm is Arm.NEW and fact.stage == rollout.current


def _window(rollout: Rollout, now: float) -> list[str]:
    if not rollout.policy.windows or rollout.started_at is None:
        return []
    opening = opening_at(rollout.policy.windows, rollout.started_at, now)
    if opening is None:
        return ["No maintenance window is left: nobody else will be told."]
    if opening.opens_at > now:
        return [f"It waits for the next maintenance window, in {opening.opens_at - now:.0f} s."]
    return [f"The maintenance window is open for another {opening.closes_at - now:.0f} s."]


def _waiting(facts: Sequence[Fact], rollout: Rollout, now: float) -> list[str]:
    policy = rollout.policy
    unreached = [f for f in facts if unsettled(f) and f.reached_at is None]
    working = [f for f in facts if unsettled(f) and f.reached_at is not None]
    said = [
        (sum(pending(f, policy) and not retrying(f, policy.retry) for f in facts), "not told yet"),
        (sum(f.blocked for f in facts), "wanted by a rollout of higher priority"),
        (len(unreached), "told but offline since: they get it when they are back, and hold nothing up"),
        (len(working), f"at work ({_counted(str(f.state) for f in working)})"),
        (sum(retrying(f, policy.retry) for f in facts), "waiting to try again"),
        (sum(unobserved(f) for f in facts), "confirmed but not seen working yet"),
        (sum(late(f, policy.deadline_s, now) for f in facts), "past their deadline"),
    ]
    told = [f"{count} {what}" for count, what in said if count]
    return [f"Of its {len(facts)} devices: {'; '.join(told)}."] if told else []


def _undoing(facts: Sequence[Fact]) -> list[str]:
    exposed = [f for f in facts if f.state is not None and f.restorable]
    back = sum(f.restored is not None for f in exposed)
    whose = "has been told to run its" if back == 1 else "have been told to run their"
    return [f"{back} of {len(exposed)} exposed devices {whose} former version."]


def _failures(rollout: Rollout, facts: Sequence[Fact]) -> list[str]:
    reasons = _counted(f.reason for f in facts if failed(f, rollout.policy.retry))
    return [f"Failed: {reasons}."] if reasons else []


def _gate(judgement: Judgement) -> str:
    verdict = {"pass": "shown to hold", "fail": "harm shown", "not_yet": "no harm shown"}[judgement.outcome]
    return f"Gate {judgement.gate}: {verdict}; {judgement.reason}."


def _silent_gates(rollout: Rollout, judgements: Sequence[Judgement]) -> list[str]:
    spoken = {judgement.gate for judgement in judgements}
    silent = [name for name in settings(rollout.policy.gates) if name not in spoken]
    return [f"Gates without data: {', '.join(silent)}."] if silent else []


def _counted(items: Iterable[str]) -> str:
    return ", ".join(f"{count} {item}" for item, count in sorted(Counter(items).items()))
