"""The rollout engine: a pure function of (rollout, facts about its devices, time).

A rollout goes through stages of growing share of its devices. A stage passes when every device of
it has confirmed and has been *observed*: it reported at least one telemetry window of the new
version, and the soak is over. A device that says nothing until its deadline has failed. More
failures than allowed stop the rollout, and every exposed device is told to run what it ran before.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec

from wire.errors import InputError
from wire.messages import ModelRef
from wire.states import SETTLED, UNSUCCESSFUL, RolloutState, StageState, UpdateState
from wire.trust import Policy as DevicePolicy

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
ACTIVE: Final = frozenset({RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.ROLLING_BACK})


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How a version shall reach the fleet."""

    stages: Annotated[tuple[Share, ...], msgspec.Meta(min_length=1, max_length=20)] = (0.1, 0.5, 1.0)
    """Cumulative shares of the devices; the last is 1."""
    max_failed: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    """Largest share of a stage's devices that may fail."""
    deadline_s: Annotated[float, msgspec.Meta(gt=0)] = 3600.0
    """A device that has not confirmed, or not been observed, by then has timed out."""
    soak_s: Annotated[float, msgspec.Meta(ge=0)] = 600.0
    """How long a stage is watched after its last device has settled."""
    device: DevicePolicy = DevicePolicy()

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.stages, self.stages[1:], strict=False))
        if not rising or self.stages[-1] != 1.0:
            raise ValueError("stages must rise and end with 1, such as [0.1, 0.5, 1.0]")


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage: the devices beyond the former stage's share, up to this one's."""

    share: Share
    devices: int
    state: StageState = StageState.SCHEDULED
    started_at: float | None = None
    soaking_at: float | None = None
    ended_at: float | None = None


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """One version on its way to the fleet."""

    id: int
    bundle: ModelRef
    policy: Policy
    state: RolloutState
    stages: tuple[Stage, ...]
    current: int = 0
    reason: str = ""

    @property
    def stage(self) -> Stage:
        """The stage that the rollout is in."""
        return self.stages[self.current]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one member device, as far as the rollout decides by it."""

    device: str
    stage: int
    state: UpdateState | None = None
    """Of this rollout's attempt; None before it was assigned."""
    reason: str = "none"
    issued_at: float | None = None
    observed: bool = False
    """A telemetry window of the new version arrived after the confirm."""
    restored: UpdateState | None = None
    """State of the attempt that gives the device its former version back; None before it was issued."""
    restore_issued_at: float | None = None
    restorable: bool = True
    """Whether there was a former version."""


class Assign(msgspec.Struct, frozen=True):
    """Tell the device to run the rollout's version."""

    device: str


class Restore(msgspec.Struct, frozen=True):
    """Tell the device to run its former version, under a new sequence."""

    device: str


class Settle(msgspec.Struct, frozen=True):
    """Write down what only the server can know: succeeded, or timed out."""

    device: str
    state: UpdateState


Action = Assign | Restore | Settle


def plan(rollout_id: int, devices: Iterable[str], policy: Policy) -> list[tuple[str, int]]:
    """Which stage each device is in: a random order that ``rollout_id`` reproduces.

    Raises InputError when there is no device.
    """
    order = sorted(devices)
    if not order:
        raise InputError("no_devices", "no device can take this version", "see why: tinyfleet rollout show")
    random.Random(rollout_id).shuffle(order)  # noqa: S311 - fairness, not secrecy
    bounds = [math.ceil(share * len(order)) for share in policy.stages]
    return [
        (device, next(stage for stage, bound in enumerate(bounds) if index < bound))
        for index, device in enumerate(order)
    ]


def create(rollout_id: int, bundle: ModelRef, policy: Policy, members: Sequence[tuple[str, int]]) -> Rollout:
    """A rollout that is ready to run."""
    counts = [sum(stage == index for _, stage in members) for index in range(len(policy.stages))]
    stages = tuple(Stage(share=s, devices=n) for s, n in zip(policy.stages, counts, strict=True))
    return Rollout(id=rollout_id, bundle=bundle, policy=policy, state=RolloutState.READY, stages=stages)


def advance(rollout: Rollout, facts: Sequence[Fact], now: float) -> tuple[Rollout, list[Action]]:
    """One look at the rollout: its new state, and what must be done. Idempotent."""
    if rollout.state is RolloutState.ROLLING_BACK:
        return _roll_back(rollout, facts, now)
    if rollout.state not in (RolloutState.RUNNING, RolloutState.PAUSED):
        return rollout, []
    timed_out = [Settle(f.device, UpdateState.TIMED_OUT) for f in facts if _late(rollout, f, now)]
    late = {action.device for action in timed_out}
    members = [f for f in facts if f.stage == rollout.current]
    failed = [f for f in members if f.state in UNSUCCESSFUL or f.device in late]
    if len(failed) > rollout.policy.max_failed * len(members):
        return _fail(rollout, failed, late, now), [*timed_out]
    if rollout.state is RolloutState.PAUSED:
        return rollout, [*timed_out]
    stepped, actions = _step_stage(rollout, members, late, now)
    return stepped, [*timed_out, *actions]


def start(rollout: Rollout) -> Rollout:
    """Begin a ready rollout."""
    return _change(rollout, RolloutState.RUNNING, {RolloutState.READY})


def pause(rollout: Rollout) -> Rollout:
    """Assign no further devices."""
    return _change(rollout, RolloutState.PAUSED, {RolloutState.RUNNING, RolloutState.PAUSED})


def resume(rollout: Rollout) -> Rollout:
    """Go on after a pause."""
    return _change(rollout, RolloutState.RUNNING, {RolloutState.PAUSED, RolloutState.RUNNING})


def stop(rollout: Rollout) -> Rollout:
    """End here: devices keep what they run."""
    return _change(rollout, RolloutState.STOPPED, {*ACTIVE, RolloutState.READY}, "stopped by an operator")


def roll_back(rollout: Rollout) -> Rollout:
    """Give every exposed device its former version back."""
    allowed = {*ACTIVE, RolloutState.FINISHED, RolloutState.STOPPED}
    return _change(rollout, RolloutState.ROLLING_BACK, allowed, "rolled back by an operator")


def _change(rollout: Rollout, to: RolloutState, allowed: set[RolloutState], reason: str = "") -> Rollout:
    if rollout.state not in allowed:
        raise InputError(
            "wrong_state",
            f"rollout {rollout.id} is {rollout.state} and cannot become {to}",
            f"it must be {' or '.join(sorted(allowed))}",
        )
    return msgspec.structs.replace(rollout, state=to, reason=reason or rollout.reason)


def _late(rollout: Rollout, fact: Fact, now: float) -> bool:
    """Assigned, not yet ended for good, and past its deadline."""
    waiting = fact.state is not None and (fact.state not in SETTLED or _unobserved(fact))
    return waiting and fact.issued_at is not None and now - fact.issued_at > rollout.policy.deadline_s


def _unobserved(fact: Fact) -> bool:
    return fact.state is UpdateState.CONFIRMED and not fact.observed


def _step_stage(
    rollout: Rollout, members: Sequence[Fact], late: set[str], now: float
) -> tuple[Rollout, list[Action]]:
    stage = rollout.stage
    if not members:
        return _next_stage(_with_stage(rollout, state=StageState.PASSED, ended_at=now)), []
    unassigned: list[Action] = [Assign(f.device) for f in members if f.state is None]
    if stage.state is StageState.SCHEDULED:
        return _with_stage(rollout, state=StageState.RUNNING, started_at=now), unassigned
    if unassigned or any(f.state not in SETTLED for f in members if f.device not in late):
        return rollout, unassigned
    if stage.state is StageState.RUNNING:
        return _with_stage(rollout, state=StageState.SOAKING, soaking_at=now), []
    soaked = stage.soaking_at is not None and now - stage.soaking_at >= rollout.policy.soak_s
    if not soaked or any(_unobserved(f) for f in members if f.device not in late):
        return rollout, []
    done: list[Action] = [
        Settle(f.device, UpdateState.SUCCEEDED)
        for f in members
        if f.state is UpdateState.CONFIRMED and f.device not in late
    ]
    return _next_stage(_with_stage(rollout, state=StageState.PASSED, ended_at=now)), done


def _next_stage(rollout: Rollout) -> Rollout:
    if rollout.current + 1 == len(rollout.stages):
        return msgspec.structs.replace(rollout, state=RolloutState.FINISHED, reason="all stages passed")
    return msgspec.structs.replace(rollout, current=rollout.current + 1)


def _with_stage(rollout: Rollout, **changes: object) -> Rollout:
    stages = list(rollout.stages)
    stages[rollout.current] = msgspec.structs.replace(rollout.stage, **changes)
    return msgspec.structs.replace(rollout, stages=tuple(stages))


def _fail(rollout: Rollout, failed: Sequence[Fact], late: set[str], now: float) -> Rollout:
    reasons = sorted({"deadline" if f.device in late else f.reason for f in failed})
    reason = (
        f"{', '.join(reasons)} on {len(failed)} of {rollout.stage.devices} devices "
        f"in stage {rollout.current + 1} of {len(rollout.stages)}"
    )
    ended = _with_stage(rollout, state=StageState.FAILED, ended_at=now)
    return msgspec.structs.replace(ended, state=RolloutState.ROLLING_BACK, reason=reason)


def _roll_back(rollout: Rollout, facts: Sequence[Fact], now: float) -> tuple[Rollout, list[Action]]:
    exposed = [f for f in facts if f.state is not None and f.restorable]
    missing: list[Action] = [Restore(f.device) for f in exposed if f.restored is None]
    if missing or any(_awaiting_restore(rollout, f, now) for f in exposed):
        return rollout, missing
    return msgspec.structs.replace(rollout, state=RolloutState.STOPPED), []


def _awaiting_restore(rollout: Rollout, fact: Fact, now: float) -> bool:
    """A silent device does not hold the rollback up: its retained wish waits for it."""
    issued_at = now if fact.restore_issued_at is None else fact.restore_issued_at
    return fact.restored not in SETTLED and now - issued_at <= rollout.policy.deadline_s
