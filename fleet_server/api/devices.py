"""Devices and what they reported."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from fleet_server import queries, tags
from fleet_server.api.access import Caller, CallerName, RunningFleet
from fleet_server.device_filter import parse

router = APIRouter(prefix="/api/v1", tags=["devices"], dependencies=[Caller])
Limit = Annotated[int, Query(ge=1, le=queries.MAX_PAGE)]


@router.get("/devices")
def list_devices(
    fleet: RunningFleet,
    after: str = "",
    limit: Limit = 100,
    wanted: Annotated[str | None, Query(alias="filter", description="See docs/filters.md.")] = None,
) -> list[dict[str, Any]]:
    """A page of devices in order of their ids; give the last id as ``after`` for the next page."""
    return queries.devices(fleet.store, after, limit, None if wanted is None else parse(wanted))


@router.get("/devices/{device}")
def get_device(fleet: RunningFleet, device: str) -> dict[str, Any]:
    """One device, its tags and its update attempts."""
    return queries.device(fleet.store, device)


@router.get("/devices/{device}/tags")
def get_tags(fleet: RunningFleet, device: str) -> dict[str, Any]:
    """What operators say of a device, which need not have been seen yet."""
    return queries.device_tags(fleet.store, device)


@router.put("/devices/{device}/tags")
def set_tags(
    fleet: RunningFleet,
    device: str,
    given: Annotated[dict[str, str | list[str] | None], Body(examples=[{"region": "eu", "group": ["lab"]}])],
    caller: CallerName,
) -> dict[str, Any]:
    """Replace the named tags and leave the others; null removes one. Only ``group`` takes a list."""
    now = time.time()
    fleet.store.write(lambda db: tags.change(db, device, given, caller, now))
    return queries.device_tags(fleet.store, device)


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


@router.get("/events")
def list_events(fleet: RunningFleet, limit: Limit = 100) -> list[dict[str, Any]]:
    """What happened, newest first."""
    return queries.events(fleet.store, limit)
