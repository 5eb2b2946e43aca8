"""What the demo found out, as one JSON document, and whether it is what was promised."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from tinyfleet.client import Client
from tinyfleet.demo.rerun import Comparison
from wire.states import UpdateState

_CONFIRMED = {UpdateState.CONFIRMED, UpdateState.SUCCEEDED, UpdateState.ALREADY_INSTALLED}


class VersionOutcome(msgspec.Struct):
    """Devices by how their attempt to run one version ended."""

    confirmed: int = 0
    rolled_back: int = 0
    failed: int = 0
    reasons: dict[str, int] = {}


class DemoResult(msgspec.Struct, kw_only=True):
    """The document that ``tinyfleet demo --exit --json`` prints."""

    devices: int
    boards: dict[str, int]
    versions: dict[str, VersionOutcome]
    accuracy: dict[str, float]
    """By version: what devices reported on held-out subjects."""
    accuracy_check: dict[str, Comparison]
    """The same reports beside a re-run of the shipped file on the same windows."""
    running: dict[str, int]
    """Devices by the version that they run at the end."""
    latency_ms: dict[str, dict[str, float]]
    """Median by version and board: an agent's own time, a microcontroller's by its emulated core."""
    alerts: list[dict[str, Any]]
    rollouts: list[dict[str, Any]]
    dashboard_url: str
    seconds: float
    surprises: list[str] = []
    """What differs from the story; empty when all went as promised."""


def collect(client: Client, checks: dict[str, Comparison], dashboard_url: str, seconds: float) -> DemoResult:
    """Ask the server what happened."""
    devices = client.get("/devices", limit=1000)
    rollouts = [client.get(f"/rollouts/{row['id']}") for row in reversed(client.get("/rollouts"))]
    result = DemoResult(
        devices=len(devices),
        boards=dict(Counter(device["board"] for device in devices)),
        versions={str(r["bundle"]["version"]): _outcome(r) for r in rollouts},
        accuracy={version: check.reported.accuracy for version, check in checks.items()},
        accuracy_check=checks,
        running=dict(Counter(str(device["version"]) for device in devices)),
        latency_ms=_latency_ms(client.get("/latencies")),
        alerts=client.get("/alerts"),
        rollouts=[_summary(rollout) for rollout in rollouts],
        dashboard_url=dashboard_url,
        seconds=round(seconds, 1),
    )
    result.surprises = list(_surprises(result))
    return result


def _latency_ms(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["p50_us"] is not None and row["board"]:
            found.setdefault(str(row["version"]), {})[row["board"]] = round(row["p50_us"] / 1000, 3)
    return found


def _outcome(rollout: dict[str, Any]) -> VersionOutcome:
    outcome = VersionOutcome(reasons={})
    for member in rollout["devices"]:
        state, reason = member["state"], member["reason"]
        if state is None:
            continue
        if state in _CONFIRMED:
            outcome.confirmed += 1
        elif state == UpdateState.ROLLED_BACK:
            outcome.rolled_back += 1
        else:
            outcome.failed += 1
        if reason != "none":
            outcome.reasons[reason] = outcome.reasons.get(reason, 0) + 1
    return outcome


def _summary(rollout: dict[str, Any]) -> dict[str, Any]:
    restored = [m for m in rollout["devices"] if m["restored"]]
    return {
        "id": rollout["id"],
        "version": rollout["bundle"]["version"],
        "result": rollout["state"],
        "reason": rollout["reason"],
        "exposed": rollout["exposed"],
        "restored": len(restored),
        "restore_downloaded_bytes": sum(m["restore_downloaded_bytes"] for m in restored),
    }


def _surprises(result: DemoResult) -> list[str]:
    """Every promise of the demo that was not kept."""
    first, second, third = (result.versions[v] for v in ("1", "2", "3"))
    stopped = result.rollouts[-1]
    promises = {
        "v1 is confirmed everywhere": first.confirmed == result.devices,
        "v2 is confirmed everywhere": second.confirmed == result.devices,
        "v3 is confirmed nowhere": third.confirmed == 0,
        "v3 is rolled back wherever it went": third.rolled_back == stopped["exposed"] > 0,
        "v3 reached the first stage only": stopped["exposed"] < result.devices / 2,
        "the reason is the self-test": third.reasons == {"self_test": third.rolled_back},
        "going back needs no download": stopped["restore_downloaded_bytes"] == 0,
        "everyone runs v2 at the end": result.running == {"2": result.devices},
        "an alert is open": bool(result.alerts),
        "every board reports its latency": set(result.latency_ms.get("2", {})) == set(result.boards),
        "reported accuracy equals a re-run": all(check.equal for check in result.accuracy_check.values()),
    }
    return [promise for promise, kept in promises.items() if not kept]
