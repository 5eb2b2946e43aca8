"""One rollout to many devices through the server's own database, engine and gates, in virtual time.

What is left out is the network: devices are answered for by the functions that store their messages. A few
never say anything again after they were told, and a few are offline for the first half of the rollout.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import numpy as np
from sqlite_utils import Database

from fleet_server import gatekeeper, reports, rollout_driver
from fleet_server.director import Director
from fleet_server.registry import Registry
from fleet_server.rollout_policy import Policy
from fleet_server.store import Row, Store
from tinyfleet.bench.small_bundle import make_bundle
from wire.messages import Hardware, ModelRef, Reported, Status, Telemetry, encode
from wire.states import NumericsFamily, Presence, UpdateState
from wire.trust import Policy as DevicePolicy
from wire.trust import load_key, load_root, make_root, new_key

_REPORT_S: Final = 300.0
_TICK_S: Final = 10.0
_ENDS: Final = ("finished", "stopped")
_MOST_TICKS: Final = 5000
_BOOT: Final = "00000001-0000aaaa"
_HARDWARE: Final = Hardware(
    target="cortex-m4", board="nano33ble", numerics=NumericsFamily.TFLM, runtime="none",
    ram_bytes=100_000, flash_bytes=100_000,
)  # fmt: skip
POLICY: Final = Policy(
    stages=(0.01, 0.1, 0.5, 1.0),
    soak_s=900,
    deadline_s=900,
    dynamic=False,
    device=DevicePolicy(report_every_ms=round(1000 * _REPORT_S)),
)
Say = Callable[[str], None]


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What it took."""

    devices: int
    seed: int
    state: str
    reason: str
    seconds: float
    """Of this machine, in all."""
    virtual_s: float
    ticks: int
    tick_s_median: float
    tick_s_most: float
    looks: int
    """Ticks in which the gates looked at everything, or kept with what a stage ended."""
    look_s_median: float
    """Of these ticks, in all."""
    look_s_most: float
    windows: int
    """Telemetry that was stored."""
    decisions: int
    database_bytes: int
    silent: int
    """Devices that never answered, and timed out."""
    assignments: int
    told_once: int
    """Devices with exactly one attempt."""
    states: dict[str, int]


class Engine:
    """A server without a network, and what its devices say."""

    def __init__(self, folder: Path, devices: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        release, key = load_key(new_key()), load_key(new_key())
        expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=365)
        self.now = time.time()
        self.store = Store(folder / "fleet.db")
        self.director = Director(key, timedelta(days=300))
        registry = Registry(
            self.store, folder / "bundles", load_root(make_root(release, release.public_key, expires))
        )
        self.refs = [
            registry.publish(*make_bundle(version, release, expires), self.now) for version in (1, 2)
        ]
        self.names = [f"d{index:06}" for index in range(devices)]
        self.runs: dict[str, ModelRef] = dict.fromkeys(self.names, self.refs[0])
        self._attempts: dict[str, str] = {}
        """That brought each device what it runs."""
        self.silent = set(rng.choice(self.names, max(1, devices // 3000), replace=False).tolist())
        self.away = set(rng.choice(self.names, devices // 500, replace=False).tolist()) - self.silent
        self.gone: set[str] = set()
        """Who says nothing at present."""
        self.accuracy = dict(zip(self.names, rng.beta(18, 2, devices), strict=True))
        self.rng, self.windows, self._seq, self._session = rng, 0, 0, 1

    def hello(self) -> None:
        """Every device says what it is and what it runs."""
        self._say(self.names, Presence.ONLINE)
        self._submit([(reports.store_reported, self._report(name, None, None)) for name in self.names])

    def tick(self) -> float:
        """Move on by one tick, and answer what was told; returns the tick's own seconds."""
        self.now += _TICK_S
        began = time.perf_counter()
        self.store.write(lambda db: rollout_driver.tick(db, self.director, self.now))
        took = time.perf_counter() - began
        self._answer()
        return took

    def report(self) -> None:
        """A telemetry window of everyone who is there."""
        there = [name for name in self.names if name not in self.gone]
        self._submit([(_store_window, self._window(name)) for name in there])
        self.windows += len(there)

    def leave(self) -> None:
        """Some go away."""
        self.gone |= self.away
        self._say(sorted(self.away), Presence.OFFLINE)

    def come_back(self) -> None:
        """Those who were away say hello, and do what they were told meanwhile."""
        back, self.away = sorted(self.away), set()
        self.gone -= set(back)
        self._session += 1
        self._say(back, Presence.ONLINE)

    def _answer(self) -> None:
        told = self.store.rows(
            """SELECT device, attempt, digest, sequence FROM assignments
               WHERE state = 'queued' AND replaced = 0 ORDER BY sequence"""
        )
        self.store.write(lambda db: db.execute("UPDATE assignments SET published = 1 WHERE published = 0"))
        here = [row for row in told if row["device"] not in self.gone]
        self._submit([(reports.store_reported, self._answered(row)) for row in here])

    def _answered(self, row: Row) -> Reported:
        name = row["device"]
        if name in self.silent:
            self.gone.add(name)
            return self._report(name, row["attempt"], UpdateState.DOWNLOADING)
        self._attempts[name] = row["attempt"]
        self.runs[name] = next(ref for ref in self.refs if ref.digest == row["digest"])
        return self._report(name, row["attempt"], UpdateState.CONFIRMED)

    def _submit(self, calls: list[tuple[Callable[..., object], object]]) -> None:
        """All in one batch of the writer, as messages that arrive together are."""
        for future in [self.store.submit(_job(store, message, self.now)) for store, message in calls]:
            future.result()

    def _say(self, names: list[str], presence: Presence) -> None:
        words = [Status(device=name, state=presence, session=self._session, boot=_BOOT) for name in names]
        self._submit([(reports.store_status, status) for status in words])

    def _report(self, name: str, attempt: str | None, state: UpdateState | None) -> Reported:
        self._seq += 1
        return Reported(
            device=name, boot=_BOOT, seq=self._seq, sequence=0, attempt=attempt, state=state,
            running=self.runs[name], slots={}, downloaded_bytes=0, hardware=_HARDWARE,
        )  # fmt: skip

    def _window(self, name: str) -> Telemetry:
        self._seq += 1
        correct = int(self.rng.binomial(60, self.accuracy[name]))
        return Telemetry(
            device=name, boot=_BOOT, seq=self._seq, attempt=self._attempts.get(name), model=self.runs[name],
            numerics=NumericsFamily.TFLM, at_unix_s=None, duration_s=_REPORT_S, n=60,
            latency_clock="emulated", latency={80: 60}, latency_sum_us=180_000, labelled=60,
            correct=correct, classes=[correct, 60 - correct], confidence=[0] * 8 + [40, 20],
        )  # fmt: skip


def run(devices: int, seed: int, say: Say) -> Ran:
    """Roll a good version out to all of them."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        engine = Engine(Path(name), devices, seed)
        engine.hello()
        engine.report()
        engine.now += _REPORT_S
        engine.report()
        start = engine.now
        engine.leave()
        digest = engine.refs[1].digest
        number = engine.store.write(
            lambda db: rollout_driver.create_rollout(db, digest, POLICY, engine.now)
        ).id
        ticks, looks = _live(engine, number, say)
        found = _found(engine, number)
        engine.store.close()
        return Ran(
            devices=devices, seed=seed, seconds=round(time.perf_counter() - began, 1),
            virtual_s=engine.now - start, ticks=len(ticks), tick_s_median=round(median(ticks), 4),
            tick_s_most=round(max(ticks), 3), looks=len(looks), look_s_median=round(median(looks), 4),
            look_s_most=round(max(looks), 3), windows=engine.windows, silent=len(engine.silent),
            database_bytes=(Path(name) / "fleet.db").stat().st_size, **found,
        )  # fmt: skip


def _live(engine: Engine, number: int, say: Say) -> tuple[list[float], list[float]]:
    """Seconds of every tick, and of those in which the gates looked."""
    ticks: list[float] = []
    looks: list[float] = []
    last, back_at = engine.now, engine.now + 3000
    while len(ticks) < _MOST_TICKS:
        ticks.append(engine.tick())
        look = engine.store.read(lambda db: gatekeeper.latest(db, number))
        if look is not None and look.at == engine.now:
            looks.append(ticks[-1])
        if engine.now - last >= _REPORT_S:
            last = engine.now
            engine.report()
        if engine.away and engine.now >= back_at:
            engine.come_back()
        rollout = engine.store.read(lambda db: rollout_driver.load(db, number))
        if len(ticks) % 50 == 0:
            say(f"{len(ticks)} ticks: {rollout.state}, stage {rollout.current + 1}")
        if rollout.state in _ENDS:
            break
    return ticks, looks


def _job(store: Callable[..., object], message: object, now: float) -> Callable[[Database], object]:
    return lambda db: store(db, message, now)


def _found(engine: Engine, number: int) -> dict[str, Any]:
    rollout = engine.store.read(lambda db: rollout_driver.load(db, number))
    store = engine.store
    attempts = store.rows(
        "SELECT device, count(*) AS n FROM assignments WHERE rollout = ? GROUP BY device", (number,)
    )
    states = store.rows(
        "SELECT state, count(*) AS n FROM assignments WHERE rollout = ? GROUP BY 1", (number,)
    )
    decisions = store.rows("SELECT count(*) AS n FROM gate_decisions WHERE rollout = ?", (number,))
    return {
        "state": str(rollout.state),
        "reason": rollout.reason,
        "assignments": sum(row["n"] for row in attempts),
        "told_once": sum(row["n"] == 1 for row in attempts),
        "states": {row["state"]: row["n"] for row in states},
        "decisions": decisions[0]["n"],
    }


def _store_window(db: Database, window: Telemetry, now: float) -> reports.Outcome:
    return reports.store_telemetry(db, window, encode(window), now)
