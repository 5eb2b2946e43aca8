"""What the rollout engine knows, what it is told of devices, and what it asks for: data only."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec

from fleet_server.rollout_policy import Policy
from wire.messages import ModelRef
from wire.states import RolloutState, StageState, UpdateState

#: States in which a rollout is looked at whatever its devices do.
ACTIVE: Final = frozenset({RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.ROLLING_BACK})


class Arm(StrEnum):
    """Which version a device has while its stage is compared."""

    NEW = "new"
    CONTROL = "control"
    """The old one, until the release of the control arm."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage; who is in it is written with the devices."""

    kind: Literal["share", "where", "devices", "release"] = "share"
    """release: the devices of the control arm, and late newcomers, after the last stage of the policy."""
    share: float | None = None
    devices: int = 0
    """Members, those of the control arm included."""
    control: int = 0
    state: StageState = StageState.SCHEDULED
    approved: bool = False
    skip: bool = False
    """An operator ended it."""
    started_at: float | None = None
    soaking_at: float | None = None
    waiting_at: float | None = None
    """Since when all but proof of a gate is there."""
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
    started_at: float | None = None
    """Maintenance windows are counted from here."""
    tokens: float = 1.0
    """Devices that the pace allowed at ``tokens_at``."""
    tokens_at: float | None = None
    aborted: bool = False
    """Every attempt that is not confirmed shall be withdrawn."""
    undone: bool = False
    """It was rolled back: who confirms late is given the former version as well."""

    @property
    def stage(self) -> Stage:
        """The stage that the rollout is in."""
        return self.stages[self.current]


class Fact(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is known of one member device. The order of the fields is that of fleet_server.facts' query."""

    device: str
    stage: int
    arm: Arm = Arm.NEW
    restorable: bool = True
    """Whether there is a former version that the server can give back."""
    attempts: int = 0
    """Made so far, for this rollout."""
    state: UpdateState | None = None
    """Of the newest attempt; None before it was assigned."""
    reason: str = "none"
    issued_at: float | None = None
    reached_at: float | None = None
    """When the device was online, or seen, with the present wish published; None: it cannot know of it."""
    updated_at: float | None = None
    observed: bool = False
    """A telemetry window of the new version arrived after the confirm."""
    held: bool = False
    """The present wish says to wait for the next maintenance window."""
    closes_at: float | None = None
    """End of the maintenance window that the present wish is for."""
    withdrawn_at: float | None = None
    restored: UpdateState | None = None
    """State of the attempt that gives the device its former version back; None before it was issued."""
    restore_issued_at: float | None = None
    restore_reason: str = "none"
    restore_updated_at: float | None = None
    restores: int = 0
    """Attempts to give it back, so far."""
    away: bool = False
    """The device's newest wish is another rollout's, and for another version."""
    overtaken: bool = False
    """A later rollout of the same model gave it a version that it did not refuse."""
    blocked: bool = False
    """A rollout that goes first wants this device and is not done with it."""


class Opening(msgspec.Struct, frozen=True):
    """Between which times a device may begin, by the server's clock."""

    opens_at: float
    closes_at: float


class Assign(msgspec.Struct, frozen=True):
    """Tell the device to run the rollout's version: a new attempt."""

    device: str
    opening: Opening | None = None


class Reschedule(msgspec.Struct, frozen=True):
    """Sign the present attempt again, with the times at which the device may begin."""

    device: str
    opening: Opening


class Withdraw(msgspec.Struct, frozen=True):
    """Sign the present attempt again, as canceled."""

    device: str


class Restore(msgspec.Struct, frozen=True):
    """Tell the device to run its former version, under a new sequence."""

    device: str


class Settle(msgspec.Struct, frozen=True):
    """Write down what only the server can know: succeeded, or timed out."""

    device: str
    state: UpdateState


class Join(msgspec.Struct, frozen=True):
    """Take the device along into another stage, because its own was skipped before it was told."""

    device: str
    stage: int


Action = Assign | Reschedule | Withdraw | Restore | Settle | Join


def create(rollout_id: int, bundle: ModelRef, policy: Policy) -> Rollout:
    """A rollout that is ready to run."""
    stages = tuple(
        Stage(
            kind="share" if plan.share is not None else "where" if plan.where is not None else "devices",
            share=plan.share,
        )
        for plan in policy.plan
    )
    return Rollout(id=rollout_id, bundle=bundle, policy=policy, state=RolloutState.READY, stages=stages)


def with_stage(rollout: Rollout, **changes: object) -> Rollout:
    """The rollout with its current stage changed."""
    stages = list(rollout.stages)
    stages[rollout.current] = msgspec.structs.replace(rollout.stage, **changes)
    return msgspec.structs.replace(rollout, stages=tuple(stages))


def named(rollout: Rollout, stage: int) -> str:
    """A stage as it is written in reasons: ``stage 1 of 3``."""
    planned = len(rollout.policy.stages)
    return f"stage {stage + 1} of {planned}" if stage < planned else "the release of the control arm"
