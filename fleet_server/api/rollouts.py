"""Rollouts and the commands of their operators."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from fleet_server import queries, rollout, rollout_driver
from fleet_server.api.access import Caller, Number, RunningFleet
from fleet_server.rollout import Policy, Rollout
from wire.errors import InputError

router = APIRouter(prefix="/api/v1", tags=["rollouts"], dependencies=[Caller])
_COMMANDS: Final[dict[str, Callable[[Rollout], Rollout]]] = {
    "pause": rollout.pause,
    "resume": rollout.resume,
    "stop": rollout.stop,
    "rollback": rollout.roll_back,
}


class NewRollout(BaseModel):
    """Which version shall go out, and how."""

    model: str
    version: int = Field(ge=1, le=2**31)
    stages: list[float] = Field([0.1, 0.5, 1.0], min_length=1, max_length=20)
    max_failed: float = Field(0.1, ge=0, le=1)
    deadline_s: float = Field(3600.0, gt=0)
    soak_s: float = Field(600.0, ge=0)
    report_every_ms: int = Field(60_000, ge=100, le=86_400_000)
    trial_inferences: int = Field(5, ge=0, le=100_000)


@router.post("/rollouts", status_code=201)
def create_rollout(fleet: RunningFleet, new: NewRollout) -> dict[str, Any]:
    """Begin to roll a version out over the devices that it fits."""
    digest = queries.version(fleet.store, new.model, new.version)["digest"]
    policy = _policy(new)
    now = time.time()
    created = fleet.store.write(lambda db: rollout_driver.create_rollout(db, digest, policy, now))
    return queries.rollout(fleet.store, created.id)


@router.get("/rollouts")
def list_rollouts(fleet: RunningFleet) -> list[dict[str, Any]]:
    """All rollouts, newest first."""
    return queries.rollouts(fleet.store)


@router.get("/rollouts/{number}")
def get_rollout(fleet: RunningFleet, number: Number) -> dict[str, Any]:
    """One rollout with every device's part in it."""
    return queries.rollout(fleet.store, number)


@router.post("/rollouts/{number}/{command}")
def command_rollout(
    fleet: RunningFleet, number: Number, command: Literal["pause", "resume", "stop", "rollback"]
) -> dict[str, Any]:
    """Pause, resume, stop (devices keep what they run) or roll back (they get what they ran before)."""
    now = time.time()
    fleet.store.write(lambda db: rollout_driver.change(db, number, _COMMANDS[command], now))
    return queries.rollout(fleet.store, number)


def _policy(new: NewRollout) -> Policy:
    device = {"report_every_ms": new.report_every_ms, "trial_inferences": new.trial_inferences}
    fields = new.model_dump(include={"stages", "max_failed", "deadline_s", "soak_s"})
    try:
        return msgspec.convert({**fields, "device": device}, Policy)
    except msgspec.ValidationError as error:
        raise InputError("bad_policy", str(error), "stages rise and end with 1: [0.1, 0.5, 1.0]") from error
