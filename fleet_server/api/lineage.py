"""Lineage, both ways."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from fleet_server import lineage
from fleet_server.api.access import Caller, Number, RunningFleet

router = APIRouter(prefix="/api/v1/lineage", tags=["lineage"], dependencies=[Caller])


@router.get("/devices/{device}")
def get_device_lineage(fleet: RunningFleet, device: str) -> dict[str, Any]:
    """From a device to the data that made its model."""
    return fleet.store.read(lambda db: lineage.of_device(db, device))


@router.get("/samples/{number}")
def get_sample_lineage(fleet: RunningFleet, number: Number) -> dict[str, Any]:
    """From a sample to the versions that were trained on it, and their devices."""
    return fleet.store.read(lambda db: lineage.of_sample(db, number))
