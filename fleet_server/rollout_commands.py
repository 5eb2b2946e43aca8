"""What operators tell a rollout. Repeating a command changes nothing and is no error."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

import msgspec

from fleet_server.rollout_state import ACTIVE, Rollout, with_stage
from wire.errors import InputError
from wire.states import RolloutState, StageState

_GOING: Final = frozenset({RolloutState.RUNNING, RolloutState.PAUSED})
_ENDED: Final = frozenset({StageState.PASSED, StageState.FAILED})


def start(rollout: Rollout, now: float) -> Rollout:
    """Begin a ready rollout."""
    started_at = now if rollout.started_at is None else rollout.started_at
    began = _change(rollout, RolloutState.RUNNING, {RolloutState.READY, RolloutState.RUNNING})
    return msgspec.structs.replace(began, started_at=started_at)


def approve(rollout: Rollout, stage: int | None = None) -> Rollout:
    """Let a stage begin that waits for it; without ``stage`` the current one."""
    _allow(rollout, {RolloutState.READY, *_GOING}, "approved")
    index = rollout.current if stage is None else stage
    if not 0 <= index < len(rollout.stages):
        raise InputError("no_stage", f"rollout {rollout.id} has no stage {index + 1}", "see its stages")
    stages = list(rollout.stages)
    stages[index] = msgspec.structs.replace(stages[index], approved=True)
    return msgspec.structs.replace(rollout, stages=tuple(stages))


def pause(rollout: Rollout) -> Rollout:
    """Assign no further devices."""
    if rollout.state is RolloutState.PAUSED:
        return rollout
    return _change(rollout, RolloutState.PAUSED, {RolloutState.RUNNING}, "paused by an operator")


def resume(rollout: Rollout) -> Rollout:
    """Go on after a pause; a stage that lacks proof of a gate waits for it anew."""
    _allow(rollout, _GOING, RolloutState.RUNNING)
    if rollout.state is RolloutState.RUNNING:
        return rollout
    waiting = with_stage(rollout, waiting_at=None)
    return msgspec.structs.replace(waiting, state=RolloutState.RUNNING, reason="")


def skip(rollout: Rollout, stage: int | None = None) -> Rollout:
    """End the current stage without waiting for soak and proof; nothing when ``stage`` is another one.

    Devices of it that were not told yet go along into the next. A gate that fails still stops the rollout.
    """
    _allow(rollout, _GOING, "skipped")
    if (stage is not None and stage != rollout.current) or rollout.stage.state in _ENDED:
        return rollout
    skipped = with_stage(rollout, skip=True)
    if rollout.state is RolloutState.RUNNING:
        return skipped
    return msgspec.structs.replace(skipped, state=RolloutState.RUNNING, reason="")


def stop(rollout: Rollout) -> Rollout:
    """Assign nobody else: who has begun may finish, who has not is told not to."""
    if rollout.state is RolloutState.STOPPED:
        return rollout
    allowed = {*ACTIVE, RolloutState.READY}
    stopped = _change(rollout, RolloutState.STOPPED, allowed, "stopped by an operator")
    return msgspec.structs.replace(stopped, undone=False)


def abort(rollout: Rollout) -> Rollout:
    """Stop, and withdraw every attempt that is not confirmed yet."""
    if rollout.aborted:
        return rollout
    allowed = {RolloutState.READY, RolloutState.STOPPED, *_GOING}
    aborted = _change(rollout, RolloutState.STOPPED, allowed, "aborted by an operator")
    return msgspec.structs.replace(aborted, aborted=True)


def roll_back(rollout: Rollout) -> Rollout:
    """Give every exposed device its former version back."""
    if rollout.undone:
        return rollout
    allowed = {*ACTIVE, RolloutState.FINISHED, RolloutState.STOPPED}
    undone = _change(rollout, RolloutState.ROLLING_BACK, allowed, "rolled back by an operator")
    return msgspec.structs.replace(undone, undone=True)


def _change(rollout: Rollout, to: RolloutState, allowed: Set[RolloutState], reason: str = "") -> Rollout:
    _allow(rollout, allowed, to)
    return msgspec.structs.replace(rollout, state=to, reason=reason or rollout.reason)


def _allow(rollout: Rollout, allowed: Set[RolloutState], to: str) -> None:
    if rollout.state not in allowed:
        raise InputError(
            "wrong_state",
            f"rollout {rollout.id} is {rollout.state} and cannot become {to}",
            f"it must be {' or '.join(sorted(allowed))}",
        )
