"""How a version shall reach the fleet: what an operator writes down before a rollout begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Final

import msgspec

from fleet_server.device_filter import parse
from fleet_server.gates.policy import Gates
from wire.errors import InputError
from wire.messages import Name
from wire.trust import Policy as DevicePolicy

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
ControlShare = Annotated[float, msgspec.Meta(ge=0, le=0.5)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e8)]
PositiveSeconds = Annotated[float, msgspec.Meta(gt=0, le=1e8)]
Expression = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
"""See fleet_server.device_filter."""
MAX_STAGES: Final = 20
_SERVERS_OWN: Final = frozenset({"begin_in_s", "begin_for_s", "cancel", "new_schema"})
"""Of what the device is told."""


class StagePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who belongs to a stage: exactly one of ``share``, ``where`` and ``devices``.

    A device belongs to the first stage that takes it.
    """

    share: Share | None = None
    """Cumulative: so much of the rollout's devices, drawn at random, has been reached with this stage."""
    where: Expression | None = None
    """Every device of the rollout that the filter matches."""
    devices: Annotated[tuple[Name, ...], msgspec.Meta(max_length=10_000)] | None = None
    approval: bool = False
    """Wait for an operator before it begins."""
    soak_s: Seconds | None = None
    """Instead of the policy's."""
    control: ControlShare | None = None
    """Instead of the policy's."""

    def __post_init__(self) -> None:
        """Decoding turns the ValueError into a ValidationError."""
        if sum(chosen is not None for chosen in (self.share, self.where, self.devices)) != 1:
            raise ValueError("a stage has exactly one of share, where and devices")


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast devices are told: a rate that may grow with every ``every`` devices that went well."""

    per_minute: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    factor: Annotated[float, msgspec.Meta(ge=1, le=10)] = 1.0
    every: Annotated[int, msgspec.Meta(ge=1)] = 1000
    most_per_minute: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 1e6


class MaintenanceWindow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When devices may begin, counted from the rollout's start; they are told relative times only."""

    starts_in_s: Seconds = 0.0
    length_s: PositiveSeconds
    every_s: PositiveSeconds | None = None
    """Repeats so often; None: once."""

    def __post_init__(self) -> None:
        """Decoding turns the ValueError into a ValidationError."""
        if self.every_s is not None and self.every_s < self.length_s:
            raise ValueError("a maintenance window is longer than the time to the next (every_s < length_s)")


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another attempt where the first failed for a reason that may pass (the link, the disk)."""

    times: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2
    after_s: Seconds = 60.0
    """Before the first; doubled before each further one."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a version shall reach the fleet."""

    where: Expression | None = None
    """Which devices the rollout is for; None: all."""
    dynamic: bool = True
    """Devices that appear, or begin to match, later take part as well, also after the end."""
    stages: Annotated[tuple[StagePlan | Share, ...], msgspec.Meta(min_length=1, max_length=MAX_STAGES)] = (
        0.1,
        0.5,
        1.0,
    )
    """A number is the ``share`` of a stage that says nothing else."""
    control: ControlShare = 0.2
    """Share of every stage that stays on the old version, drawn at random, until the last stage passed."""
    max_failed: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    """Hard limit: the largest share of a stage's devices that may fail, no statistics."""
    deadline_s: PositiveSeconds = 3600.0
    """A device that was reached and has not confirmed, or not been observed, by then has timed out."""
    soak_s: Seconds = 600.0
    """How long a stage is watched after its last device has settled."""
    patience_s: Seconds = 86_400.0
    """How long after the soak a stage waits for gates that need proof, before it pauses the rollout."""
    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] = 0
    """Where two rollouts want the same device the higher goes first; of equals, the older."""
    schema_change: bool = False
    """Allow a version with another input shape or other labels than the device runs."""
    pace: Pace | None = None
    windows: Annotated[tuple[MaintenanceWindow, ...], msgspec.Meta(max_length=50)] = ()
    """None: at any time."""
    retry: Retry = Retry()
    gates: Gates = Gates()
    device: DevicePolicy = DevicePolicy()

    def __post_init__(self) -> None:
        """Decoding turns the ValueError into a ValidationError."""
        shares = [stage.share for stage in self.plan if stage.share is not None]
        if any(a >= b for a, b in pairwise(shares)):
            raise ValueError("shares of stages must rise, such as [0.1, 0.5, 1.0]")
        if self.plan[-1].share not in (None, 1.0):
            raise ValueError("the last stage's share must be 1")

    @property
    def plan(self) -> tuple[StagePlan, ...]:
        """The stages, each written out."""
        return tuple(
            stage if isinstance(stage, StagePlan) else StagePlan(share=stage) for stage in self.stages
        )

    def soak_of(self, stage: int) -> float:
        """Seconds; of the release of the control arm, after the last stage, none."""
        if stage >= len(self.stages):
            return 0.0
        own = self.plan[stage].soak_s
        return self.soak_s if own is None else own

    def control_of(self, stage: int) -> float:
        """Share of a stage that stays on the old version."""
        own = self.plan[stage].control
        return self.control if own is None else own


def read(written: Mapping[str, Any]) -> Policy:
    """The policy that was asked for, as JSON or TOML have it; a gate is also switched off by ``false``.

    Raises InputError that names the key that is wrong.
    """
    gates, device = written.get("gates"), written.get("device")
    if isinstance(gates, Mapping):  # TOML has no null
        written = {
            **written,
            "gates": {name: None if gate is False else gate for name, gate in gates.items()},
        }
    if isinstance(device, Mapping) and (own := sorted(_SERVERS_OWN & device.keys())):
        raise _bad(f"the server itself decides {own[0]} - at `$.device`")
    try:
        # There and back, for JSON has no NaN and no infinity, and the policy is kept as JSON.
        policy = msgspec.json.decode(msgspec.json.encode(msgspec.convert(written, Policy)), type=Policy)
    except (msgspec.ValidationError, RecursionError, OverflowError) as error:
        raise _bad(str(error)[:300]) from error
    for key, where in _filters(policy):
        try:
            parse(where)
        except InputError as error:
            raise _bad(f"{error.message} - at `$.{key}`") from error
    return policy


def _filters(policy: Policy) -> Iterator[tuple[str, str]]:
    if policy.where is not None:
        yield "where", policy.where
    for index, stage in enumerate(policy.plan):
        if stage.where is not None:
            yield f"stages[{index}].where", stage.where


def _bad(message: str) -> InputError:
    return InputError("bad_policy", message, "see docs/rollouts.md")
