"""For load balancers and Prometheus; neither tells secrets, so neither asks for a token."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from fleet_server import counters
from fleet_server.api.access import RunningFleet
from wire.broker import BrokerAddress

router = APIRouter(tags=["health"])


@router.get("/healthz")
def get_health(fleet: RunningFleet, response: Response) -> dict[str, Any]:
    """200 while the database answers and the broker is connected, else 503."""
    answers = fleet.store.row("SELECT 1 AS one") is not None
    connected = fleet.bridge.connected
    healthy = answers and connected
    response.status_code = 200 if healthy else 503
    return {
        "status": "ok" if healthy else "degraded",
        "database": answers,
        "broker": {
            "connected": connected,
            "kind": fleet.broker.kind,
            "url": BrokerAddress.parse(fleet.broker.url).shown,
        },
    }


@router.get("/metrics")
def get_metrics(fleet: RunningFleet) -> Response:
    """Prometheus text format."""
    counters.DEVICES.clear()
    for row in fleet.store.rows("SELECT presence, version, count(*) AS n FROM devices GROUP BY 1, 2"):
        counters.DEVICES.labels(row["presence"], str(row["version"] or "none")).set(row["n"])
    counters.ALERTS.clear()
    for row in fleet.store.rows(
        "SELECT kind, severity, state, count(*) AS n FROM alerts WHERE state != 'resolved' GROUP BY 1, 2, 3"
    ):
        counters.ALERTS.labels(row["kind"], row["severity"], row["state"]).set(row["n"])
    return Response(generate_latest(counters.REGISTRY), media_type=CONTENT_TYPE_LATEST)
