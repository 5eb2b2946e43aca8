"""``/devices/{device}``: one device, its attempts and its newest windows."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from fastapi import Request

from fleet_server import lineage, queries
from fleet_server.dashboard import charts
from fleet_server.dashboard import format as fmt
from fleet_server.dashboard.access import fleet_of, serve
from fleet_server.dashboard.parts import Chip, Facts, box, card, text
from fleet_server.dashboard.table import Column, Table
from fleet_server.store import Row, Store

_FACTS = (
    "Runs",
    "Slot A",
    "Slot B",
    "Board",
    "Target",
    "Numerics",
    "Runtime",
    "RAM for models",
    "Flash of a slot",
    "First seen",
)
_ATTEMPTS = (
    Column("what", "Told to run"),
    Column("because", "By", "link"),
    Column("state", "State", "chip"),
    Column("downloaded", "Downloaded", right=True, wide=True),
    Column("took", "Confirmed after", right=True, wide=True),
    Column("issued", "Told", right=True),
)
_WINDOWS = (
    Column("received", "Received"),
    Column("what", "Version"),
    Column("n", "Inferences", right=True, wide=True),
    Column("accuracy", "Accuracy", right=True),
    Column("labelled", "Labelled", right=True, wide=True),
    Column("p50", "p50", right=True),
    Column("p99", "p99", right=True, wide=True),
    Column("clock", "Measured with", wide=True),
    Column("errors", "Errors", right=True, wide=True),
)
_LINEAGE = (
    Column("what", "Version"),
    Column("data", "Trained on data set"),
    Column("origins", "From", wide=True),
    Column("field", "With samples from the field", wide=True),
    Column("seed", "Seed", right=True, wide=True),
)


class Snapshot(NamedTuple):
    """What the page shows."""

    now: float
    device: Row
    windows: list[Row]
    lineage: list[dict[str, Any]]
    """The version that it runs, and those whose data that one's extends."""


async def page(request: Request, device: str) -> None:
    """One device."""
    await serve(request, DeviceView(fleet_of(request).store, device))


class DeviceView:
    """Facts, attempts, windows."""

    section = "Fleet"

    def __init__(self, store: Store, device: str) -> None:
        self._store, self._device = store, device
        self.title = device[:64]

    def load(self) -> Snapshot:
        """NotFoundError when the device was never seen."""
        device = queries.device(self._store, self._device)
        windows = queries.device_windows(self._store, self._device)
        chain = self._store.read(lambda db: lineage.of_device(db, self._device))["chain"]
        return Snapshot(time.time(), device, windows, chain)

    def build(self, _refresh: Callable[[], Awaitable[None]]) -> None:
        """Headline, facts, attempts beside accuracy, lineage, then windows."""
        with box("head"):
            text(self.title, tag="h1")
            self._presence, self._seen = Chip(), text(classes="note")
        with box("card", "section").props('aria-label="Facts"'):
            self._facts = Facts(_FACTS)
        with box("halves"):
            with card("Update attempts, newest first"):
                self._attempts = Table(_ATTEMPTS, key="sequence", empty="It was never told to run anything")
            self._accuracy = charts.Chart("Accuracy by window", "No labelled windows yet.")
        with card("What its model was made of"):
            self._lineage = Table(_LINEAGE, key="key", empty="It runs no model yet")
        with card("Newest telemetry windows"):
            self._windows = Table(_WINDOWS, key="key", empty="No telemetry yet")

    def show(self, snapshot: Snapshot) -> None:
        """Bring everything up to date."""
        device, now = snapshot.device, snapshot.now
        self._presence.show(device["presence"])
        self._seen.text = f"last seen {fmt.ago(device['seen_at'], now)}"
        self._facts.show(_facts(device, now))
        self._attempts.show([_attempt(row, now) for row in device["attempts"]])
        self._lineage.show([_link(link) for link in snapshot.lineage])
        self._windows.show([_window(row, now) for row in snapshot.windows[:20]])
        self._accuracy.show(charts.windows(snapshot.windows))


def _facts(device: Row, now: float) -> dict[str, str]:
    return {
        "Runs": fmt.version(device["model"], device["version"]),
        "Slot A": _slot(device, "a"),
        "Slot B": _slot(device, "b"),
        "Board": device["board"] or fmt.NONE,
        "Target": device["target"] or fmt.NONE,
        "Numerics": device["numerics"] or fmt.NONE,
        "Runtime": device["runtime"] or fmt.NONE,
        "RAM for models": fmt.size(device["ram_bytes"]),
        "Flash of a slot": fmt.size(device["flash_bytes"]),
        "First seen": fmt.ago(device["first_seen_at"], now),
    }


def _slot(device: Row, name: str) -> str:
    """What a slot holds: going back to it needs no download."""
    held = msgspec.json.decode(device["slots"] or "{}").get(name)
    return fmt.version(held["model"], held["version"]) if held else "empty"


def _attempt(row: Row, now: float) -> dict[str, Any]:
    number = row["rollout"] or row["restores"]
    because = f"rollout {row['rollout']}" if row["rollout"] else f"rollback of {row['restores']}"
    confirmed = row["confirmed_at"]
    return {
        "sequence": row["sequence"],
        "what": fmt.version(row["model"], row["version"]),
        "because": because if number else fmt.NONE,
        "because_href": f"/rollouts/{number}" if number else None,
        "state": fmt.words(row["state"]),
        "state_tone": fmt.tone(row["state"]),
        "state_note": " · ".join(part for part in (fmt.reason(row["reason"]), row["detail"]) if part),
        "downloaded": fmt.size(row["downloaded_bytes"]),
        "took": fmt.span(confirmed - row["issued_at"]) if confirmed else fmt.NONE,
        "issued": fmt.ago(row["issued_at"], now),
    }


def _link(link: dict[str, Any]) -> dict[str, Any]:
    data = link["data"]
    field = data.get("field") or {}
    origins = [f"{each['name']} {each['version']}".strip() for each in data.get("origins", ())]
    return {
        "key": link["digest"],
        "what": fmt.version(link["model"], link["version"]),
        "data": f"{data['name']} {data['digest'][:12]}" if data else "its author did not say",
        "origins": ", ".join(origins) or fmt.NONE,
        "field": f"{field['samples']} of {len(field['devices'])} devices" if field else fmt.NONE,
        "seed": fmt.NONE if link["seed"] is None else str(link["seed"]),
    }


def _window(row: Row, now: float) -> dict[str, Any]:
    return {
        "key": f"{row['boot']} {row['seq']}",
        "received": fmt.ago(row["received_at"], now) + (" (kept back)" if row["historical"] else ""),
        "what": fmt.version(row["model"], row["version"]),
        "n": f"{row['n']:,}",
        "accuracy": fmt.percent(fmt.share_of(row["correct"], row["labelled"])),
        "labelled": f"{row['labelled']:,}",
        "p50": fmt.duration_us(row["p50_us"]),
        "clock": fmt.clock(row["clock"]),
        "p99": fmt.duration_us(row["p99_us"]),
        "errors": f"{row['errors']:,}",
    }
