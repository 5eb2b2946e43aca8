"""What is watched for drift."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from fleet_server import drift_keeper
from fleet_server.api.access import Caller, RunningFleet

router = APIRouter(prefix="/api/v1", tags=["drift"], dependencies=[Caller])


@router.get("/drift")
def list_drift(fleet: RunningFleet) -> list[dict[str, Any]]:
    """By model and kind of statistics: devices that are watched or learned, and how the evidence stands."""
    return fleet.store.read(lambda db: drift_keeper.status(db, fleet.drift))
