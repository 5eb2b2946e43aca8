"""Why rollouts are where they are, and what their gates decided by."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from fleet_server import gatekeeper, rollout_driver
from fleet_server.api.access import Caller, Number, RunningFleet
from fleet_server.explanation import explain
from fleet_server.facts import facts

router = APIRouter(prefix="/api/v1", tags=["gates"], dependencies=[Caller])


@router.get("/rollouts/{number}/explain")
def explain_rollout(fleet: RunningFleet, number: Number) -> dict[str, Any]:
    """In plain words, with the gates as they stand."""
    now = time.time()
    rollout = fleet.store.read(lambda db: rollout_driver.load(db, number))
    look = fleet.store.read(lambda db: gatekeeper.latest(db, number))
    known = fleet.store.read(lambda db: facts(db, rollout, now))
    judgements = look.judgements if look is not None else []
    lines = explain(rollout, known, judgements, now)
    return {"lines": lines, "gates": msgspec.to_builtins(judgements), "looked_at": look.at if look else None}


@router.get("/rollouts/{number}/decisions")
def list_decisions(fleet: RunningFleet, number: Number) -> list[dict[str, Any]]:
    """What the gates decided, oldest first."""
    fleet.store.read(lambda db: rollout_driver.load(db, number))
    found: list[dict[str, Any]] = msgspec.to_builtins(
        fleet.store.read(lambda db: gatekeeper.decisions(db, number))
    )
    return found


@router.get("/rollouts/{number}/decisions/{decision}")
def get_decision(fleet: RunningFleet, number: Number, decision: Number) -> Response:
    """One decision with the numbers that it was made from: ``tinyfleet rollout replay`` makes it again."""
    rollout = fleet.store.read(lambda db: rollout_driver.load(db, number))
    record = fleet.store.read(lambda db: gatekeeper.record(db, rollout, decision))
    return Response(msgspec.json.encode(record), media_type="application/json")
