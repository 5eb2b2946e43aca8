"""Field samples."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet_server import alerts, sampling
from fleet_server.api.access import CallerName, Number, RunningFleet
from wire.errors import InputError
from wire.samples import MAX_SAMPLES

router = APIRouter(prefix="/api/v1/samples", tags=["samples"])


class Ask(BaseModel):
    """Whom to ask, and for how much."""

    devices: list[str] = Field(default=[], max_length=sampling.MAX_DEVICES)
    alert: int | None = Field(default=None, ge=1, le=2**31)
    """Its devices are asked, when none are named."""
    per_device: int = Field(default=32, ge=1, le=MAX_SAMPLES)


class Truth(BaseModel):
    """What a sample is."""

    label: int | None = Field(ge=0, le=2**31)


@router.post("/requests")
def ask_for_samples(fleet: RunningFleet, caller: CallerName, wish: Ask) -> dict[str, Any]:
    """Ask devices for raw windows; those whose owners allow it will send some."""
    named = list(dict.fromkeys(wish.devices))
    if not named and wish.alert is not None:
        number = wish.alert
        named = fleet.store.read(lambda db: alerts.show(db, number))["devices"]
    if not named:
        raise InputError(
            "no_devices", "the request names no device", "give devices, or an alert that names some"
        )
    now = time.time()
    return fleet.store.write(
        lambda db: sampling.ask(db, fleet.director, named, wish.per_device, now, by=caller, alert=wish.alert)
    )


@router.get("/requests")
def list_sample_requests(fleet: RunningFleet, _caller: CallerName) -> list[dict[str, Any]]:
    """All requests, newest first."""
    return fleet.store.read(sampling.requests)


@router.get("/requests/{number}")
def get_sample_request(fleet: RunningFleet, _caller: CallerName, number: Number) -> dict[str, Any]:
    """One request, whom it went to and what came back."""
    return fleet.store.read(lambda db: sampling.show(db, number))


@router.get("/requests/{number}/windows")
def list_samples(
    fleet: RunningFleet,
    _caller: CallerName,
    number: Number,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[dict[str, Any]]:
    """A page of a request's samples; give the last id as ``after`` for the next page."""
    return fleet.store.read(lambda db: sampling.samples(db, number, after, limit))


@router.put("/{number}/label")
def label_sample(fleet: RunningFleet, caller: CallerName, number: Number, truth: Truth) -> dict[str, Any]:
    """Say what a sample is."""
    return fleet.store.write(lambda db: sampling.label(db, number, truth.label, caller))
