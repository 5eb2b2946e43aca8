"""Rollouts and the commands of their operators."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from fleet_server import queries, rollout_driver, rollout_policy
from fleet_server import rollout_commands as commands
from fleet_server.api.access import CallerName, Number, RunningFleet
from fleet_server.rollout_policy import MAX_STAGES, Policy
from fleet_server.rollout_state import Rollout

router = APIRouter(prefix="/api/v1", tags=["rollouts"])
Command = Literal["start", "approve", "pause", "resume", "skip", "stop", "abort", "rollback"]
_DEVICE_KEYS: Final = frozenset({"report_every_ms", "trial_inferences"})


class NewRollout(BaseModel):
    """Which version shall go out, and how: a policy, of which some keys may also be given beside it."""

    model: str
    version: int = Field(ge=1, le=2**31)
    start: bool = True
    """false: wait for the command ``start``."""
    policy: dict[str, Any] = {}
    """See docs/rollouts.md; keys that are left out have defaults."""
    stages: list[float] | None = None
    max_failed: float | None = None
    deadline_s: float | None = None
    soak_s: float | None = None
    report_every_ms: int | None = None
    trial_inferences: int | None = None


@router.post("/rollouts", status_code=201)
def create_rollout(
    fleet: RunningFleet, caller: CallerName, new: NewRollout, response: Response, dry_run: bool = False
) -> dict[str, Any]:
    """Begin to roll a version out over the devices that it fits; as a dry run, say only which those are."""
    digest = queries.version(fleet.store, new.model, new.version)["digest"]
    policy = _policy(new)
    filters, now = fleet.filters, time.time()
    if dry_run:
        response.status_code = 200
        return fleet.store.write(lambda db: rollout_driver.dry_run(db, digest, policy, filters=filters))
    created = fleet.store.write(
        lambda db: rollout_driver.create_rollout(
            db, digest, policy, now, caller, filters=filters, begin=new.start
        )
    )
    return queries.rollout(fleet.store, created.id)


@router.get("/rollouts")
def list_rollouts(fleet: RunningFleet, _caller: CallerName) -> list[dict[str, Any]]:
    """All rollouts, newest first."""
    return queries.rollouts(fleet.store)


@router.get("/rollouts/{number}")
def get_rollout(fleet: RunningFleet, _caller: CallerName, number: Number) -> dict[str, Any]:
    """One rollout with every device's part in it."""
    return queries.rollout(fleet.store, number)


@router.post("/rollouts/{number}/{command}")
def command_rollout(
    fleet: RunningFleet,
    caller: CallerName,
    number: Number,
    command: Command,
    stage: int | None = Query(None, ge=1, le=MAX_STAGES + 1),
) -> dict[str, Any]:
    """Tell a rollout something; telling it again changes nothing.

    start a ready one; approve a stage that waits; pause, resume; skip the rest of the current stage; stop
    (who has begun may finish); abort (who has not confirmed never will); rollback (all get what they ran
    before). ``stage``, from 1, is for approve and skip: which one is meant, if it is still that one's turn.
    """
    now = time.time()
    how = _command(command, None if stage is None else stage - 1, now)
    fleet.store.write(lambda db: rollout_driver.change(db, number, how, now, caller))
    return queries.rollout(fleet.store, number)


def _command(name: Command, stage: int | None, now: float) -> Callable[[Rollout], Rollout]:
    known: dict[Command, Callable[[Rollout], Rollout]] = {
        "start": lambda rollout: commands.start(rollout, now),
        "approve": lambda rollout: commands.approve(rollout, stage),
        "pause": commands.pause,
        "resume": commands.resume,
        "skip": lambda rollout: commands.skip(rollout, stage),
        "stop": commands.stop,
        "abort": commands.abort,
        "rollback": commands.roll_back,
    }
    return known[name]


def _policy(new: NewRollout) -> Policy:
    """With the keys that were given beside it; InputError names the one that is wrong."""
    flat = new.model_dump(exclude={"model", "version", "start", "policy"}, exclude_none=True)
    asked = {**new.policy, **{key: value for key, value in flat.items() if key not in _DEVICE_KEYS}}
    device = {key: value for key, value in flat.items() if key in _DEVICE_KEYS}
    if device and isinstance(known := new.policy.get("device", {}), dict):
        asked["device"] = {**known, **device}
    return rollout_policy.read(asked)
