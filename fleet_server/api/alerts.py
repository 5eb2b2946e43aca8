"""What needs a person."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlite_utils import Database

from fleet_server import alerts, drift_alerts, queries
from fleet_server.alerts import AlertKind, State
from fleet_server.api.access import CallerName, Number, RunningFleet
from fleet_server.store import Row

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])
_STATES = {"acknowledge": State.ACKNOWLEDGED, "resolve": State.RESOLVED}


class Note(BaseModel):
    """Why."""

    note: str = Field(default="", max_length=240)


@router.get("")
def list_alerts(
    fleet: RunningFleet,
    _caller: CallerName,
    state: State | None = None,
    kind: AlertKind | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[dict[str, Any]]:
    """Alerts, newest first."""
    return queries.alerts(fleet.store, state, limit, kind)


@router.get("/channels")
def list_channels(fleet: RunningFleet, _caller: CallerName) -> list[dict[str, Any]]:
    """Who is told of alerts, and how many notices reached them, wait, or were given up."""
    return queries.channels(fleet.store)


@router.get("/{number}")
def get_alert(fleet: RunningFleet, _caller: CallerName, number: Number) -> dict[str, Any]:
    """Which devices, since when, what changed and what to do; what happened to it, and who was told."""
    return queries.alert(fleet.store, number)


@router.post("/{number}/{command}")
def command_alert(
    fleet: RunningFleet,
    caller: CallerName,
    number: Number,
    command: Literal["acknowledge", "resolve"],
    note: Note | None = None,
) -> dict[str, Any]:
    """Say that somebody knows, or that the cause is gone; saying it again changes nothing."""
    words = note.note if note else ""
    now = time.time()

    def change(db: Database) -> Row:
        row = alerts.change(db, number, _STATES[command], now, caller, words)
        if row["kind"] == "drift" and row["state"] == State.RESOLVED:
            drift_alerts.resolved(db, row["key"])
        return row

    return fleet.store.write(change)
