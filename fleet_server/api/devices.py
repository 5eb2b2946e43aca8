"""Devices and what they reported."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from fleet_server import queries
from fleet_server.api.access import Caller, RunningFleet

router = APIRouter(prefix="/api/v1", tags=["devices"], dependencies=[Caller])
Limit = Annotated[int, Query(ge=1, le=queries.MAX_PAGE)]


@router.get("/devices")
def list_devices(fleet: RunningFleet, after: str = "", limit: Limit = 100) -> list[dict[str, Any]]:
    """A page of devices in order of their ids; give the last id as ``after`` for the next page."""
    return queries.devices(fleet.store, after, limit)


@router.get("/devices/{device}")
def get_device(fleet: RunningFleet, device: str) -> dict[str, Any]:
    """One device and its update attempts."""
    return queries.device(fleet.store, device)


@router.get("/overview")
def get_overview(fleet: RunningFleet) -> dict[str, list[dict[str, Any]]]:
    """Devices counted by presence, version, update state and board."""
    return queries.overview(fleet.store)


@router.get("/scores")
def list_scores(fleet: RunningFleet) -> list[dict[str, Any]]:
    """Accuracy in the field by version and numerics family."""
    return queries.scores(fleet.store)


@router.get("/latencies")
def list_latencies(fleet: RunningFleet) -> list[dict[str, Any]]:
    """Latency in the field by version and by whose clock measured it."""
    return queries.latencies(fleet.store)


@router.get("/telemetry")
def list_telemetry(
    fleet: RunningFleet, after: Annotated[int, Query(ge=0, le=2**53)] = 0, limit: Limit = 100
) -> list[dict[str, Any]]:
    """A page of telemetry windows; give the last id as ``after`` for the next page."""
    return queries.windows(fleet.store, after, limit)


@router.get("/alerts")
def list_alerts(fleet: RunningFleet) -> list[dict[str, Any]]:
    """What needs a person, newest first."""
    return queries.alerts(fleet.store)


@router.get("/events")
def list_events(fleet: RunningFleet, limit: Limit = 100) -> list[dict[str, Any]]:
    """What happened, newest first."""
    return queries.events(fleet.store, limit)
