"""What the demo found out, as one JSON document, and whether it is what was promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from tinyfleet.client import Client
from tinyfleet.demo.learning import Point, curve, surprises
from tinyfleet.demo.loop import Loop
from tinyfleet.demo.rerun import Comparison
from wire.manifest import Score
from wire.messages import Telemetry
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
    drift: dict[str, Score]
    """By version: answers to readings of sensors that had drifted, devices of both arms."""
    latency_ms: dict[str, dict[str, float]]
    """Median by version and board: an agent's own time, a microcontroller's by its emulated core."""
    alerts: list[dict[str, Any]]
    rollouts: list[dict[str, Any]]
    dashboard_url: str
    seconds: float
    loop: Loop | None = None
    """Of the scenario ``drift``: how the fleet learned from a change."""
    curve: list[Point] = []
    """Of the same: accuracy over time."""
    surprises: list[str] = []
    """What differs from the story; empty when all went as promised."""


def collect(
    client: Client,
    checks: dict[str, Comparison],
    windows: Sequence[Telemetry],
    dashboard_url: str,
    seconds: float,
    loop: Loop | None = None,
) -> DemoResult:
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
        drift=_drift(windows),
        latency_ms=_latency_ms(client.get("/latencies")),
        alerts=client.get("/alerts"),
        rollouts=[_summary(rollout) for rollout in rollouts],
        dashboard_url=dashboard_url,
        seconds=round(seconds, 1),
    )
    if loop is not None:
        result.loop = loop
        result.curve = curve(windows, loop)
        result.surprises = list(surprises(result, loop))
    else:
        result.surprises = list(_surprises(result))
    return result


def _drift(windows: Sequence[Telemetry]) -> dict[str, Score]:
    """Drifted readings have no place in the recorded file."""
    n: Counter[str] = Counter()
    correct: Counter[str] = Counter()
    for window in windows:
        if window.first is None:
            n[str(window.model.version)] += window.labelled
            correct[str(window.model.version)] += window.correct
    return {version: Score(n=n[version], correct=correct[version]) for version in sorted(n)}


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
    first, second, broken, worse, last = (result.versions[v] for v in ("1", "2", "3", "4", "5"))
    broken_rollout, worse_rollout, last_rollout = result.rollouts[-3:]
    undone = (broken_rollout, worse_rollout)
    promises = {
        "v1 is confirmed everywhere": first.confirmed == result.devices,
        "v2 is confirmed everywhere": second.confirmed == result.devices,
        "v3 is confirmed nowhere": broken.confirmed == 0,
        "v3 is rolled back wherever it went": broken.rolled_back == broken_rollout["exposed"] > 0,
        "v3 and v4 reached the first stage only": all(r["exposed"] < result.devices / 2 for r in undone),
        "v3 fails its self-test": broken.reasons == {"self_test": broken.rolled_back},
        "v4 passes its self-test": worse.confirmed == worse_rollout["exposed"] > 0,
        "v4 is stopped by the accuracy gate": worse_rollout["reason"].startswith("accuracy: "),
        "v4 was given back wherever it went": worse_rollout["restored"] == worse_rollout["exposed"],
        "going back needs no download": all(r["restore_downloaded_bytes"] == 0 for r in undone),
        "v5 is not blamed for the drift": last_rollout["result"] == "finished",
        "the drift was in both arms": {"2", "5"} <= set(result.drift),
        "the drift did harm": all(
            score.accuracy < result.accuracy["2"] - 0.1 for score in result.drift.values()
        ),
        "everyone runs v5 at the end": last.confirmed == result.running.get("5") == result.devices,
        "an alert is open for either stop": len(result.alerts) == len(undone),
        "every board reports its latency": set(result.latency_ms.get("2", {})) == set(result.boards),
        "reported accuracy equals a re-run": all(check.equal for check in result.accuracy_check.values()),
    }
    return [promise for promise, kept in promises.items() if not kept]
