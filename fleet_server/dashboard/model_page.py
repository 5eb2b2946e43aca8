"""``/models``: what each version promised, beside how it does in the field."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from fastapi import Request

from fleet_server import queries
from fleet_server.dashboard import field
from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.access import fleet_of, serve
from fleet_server.dashboard.parts import box, card, text
from fleet_server.dashboard.table import Column, Table
from fleet_server.store import Row, Store

_NAME = Column("name", "Version")
_VERSIONS = (
    _NAME,
    Column("family", "Numerics"),
    Column("float32", "float evaluated", right=True, wide=True),
    Column("int8", "int8 evaluated", "note", right=True),
    Column("seen", "int8 in the field", "note", right=True),
    Column("devices", "Devices", right=True, wide=True),
    Column("bundle", "Payload", right=True, wide=True),
    Column("entered", "Entered", right=True, wide=True),
)
_LATENCY = (
    _NAME,
    Column("board", "Board"),
    Column("clock", "Measured with", "wrap"),
    Column("p50", "p50", right=True),
    Column("p99", "p99", right=True),
    Column("n", "Inferences", right=True, wide=True),
)


class Snapshot(NamedTuple):
    """What the page shows."""

    now: float
    versions: list[Row]
    scores: list[Row]
    running: list[Row]
    field: field.FieldData


async def page(request: Request) -> None:
    """All models."""
    await serve(request, ModelsView(fleet_of(request).store))


class ModelsView:
    """Promise and field in one row; memory; latency."""

    title = "Models"
    section = "Models"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._field = field.FieldSource(store)

    def load(self) -> Snapshot:
        """Manifests and sums over all reports."""
        store = self._store
        return Snapshot(
            now=time.time(),
            versions=queries.models(store),
            scores=queries.scores(store),
            running=queries.overview(store)["versions"],
            field=self._field.load(),
        )

    def build(self, _refresh: Callable[[], Awaitable[None]]) -> None:
        """Accuracy first, then the charts, then memory and latency."""
        text("Models", tag="h1")
        with card("Accuracy: evaluated before shipping, and in the field"):
            self._versions = Table(_VERSIONS, key="key", empty="No versions yet: tinyfleet model push BUNDLE")
        self._charts = field.FieldCharts()
        with box("halves"):
            with card("Latency in the field"):
                self._latency = Table(_LATENCY, key="key", empty="No inferences reported yet")
            with card("RAM that a version needs, by target"):
                self._memory = Table([_NAME], key="name", empty="No versions yet")

    def show(self, snapshot: Snapshot) -> None:
        """Bring tables and charts up to date."""
        versions = list(reversed(snapshot.versions))
        self._versions.show(_version_rows(snapshot, versions))
        targets = sorted({target for version in versions for target in version["targets"]})
        self._memory.reshape([_NAME, *(Column(target, target, right=True) for target in targets)])
        self._memory.show([_memory_row(version, targets) for version in versions])
        self._latency.show([_latency_row(row) for row in reversed(snapshot.field.latencies)])
        self._charts.show(snapshot.field)


def _version_rows(snapshot: Snapshot, versions: list[Row]) -> list[dict[str, Any]]:
    seen = {(row["digest"], row["numerics"]): row for row in snapshot.scores}
    running = {(row["model"], row["version"]): row["devices"] for row in snapshot.running}
    rows = []
    for version in versions:
        measured = {family for digest, family in seen if digest == version["digest"]}
        families = sorted({*version["evaluated"], *measured}) or [""]
        devices = running.get((version["model"], version["version"]), 0)
        rows += [
            {
                **_score(version, family, seen.get((version["digest"], family))),
                # Said once a version: it is the same for all of its families.
                **(_shipped(version, devices, snapshot.now) if family == families[0] else {}),
            }
            for family in families
        ]
    return rows


def _shipped(version: Row, devices: int, now: float) -> dict[str, Any]:
    return {
        "name": fmt.version(version["model"], version["version"]),
        "float32": fmt.percent(version["accuracy"].get("float32")),
        "devices": devices,
        "bundle": fmt.size(version["payload_bytes"]),
        "entered": fmt.ago(version["created_at"], now),
    }


def _score(version: Row, family: str, seen: Row | None) -> dict[str, Any]:
    evaluated = version["evaluated"].get(family)
    labelled = seen["labelled"] if seen else 0
    return {
        "key": f"{version['digest']} {family}",
        "family": family or fmt.NONE,
        "int8": fmt.percent(version["accuracy"].get(family)),
        "int8_note": f"of {evaluated:,}" if evaluated else "not evaluated",
        "seen": fmt.percent(seen["accuracy"] if seen else None),
        "seen_note": f"of {labelled:,} labelled" if labelled else "no labelled windows yet",
    }


def _memory_row(version: Row, targets: list[str]) -> dict[str, Any]:
    needs = {target: fmt.size(version["targets"].get(target)) for target in targets}
    return {"name": fmt.version(version["model"], version["version"]), **needs}


def _latency_row(row: Row) -> dict[str, Any]:
    name = fmt.version(row["model"], row["version"])
    return {
        "key": f"{name} {row['board']} {row['clock']}",
        "name": name,
        "board": row["board"] or fmt.NONE,
        "clock": fmt.clock(row["clock"]),
        "p50": fmt.duration_us(row["p50_us"]),
        "p99": fmt.duration_us(row["p99_us"]),
        "n": f"{row['n']:,}",
    }
