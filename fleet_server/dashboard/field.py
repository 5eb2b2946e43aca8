"""How versions do in the field: accuracy over time and latency, for the pages that show both."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from fleet_server import queries
from fleet_server.dashboard import charts
from fleet_server.dashboard.parts import box
from fleet_server.store import Row, Store

POINTS: Final = 120
LOOK_BACK_MINUTES: Final = 7 * 24 * 60
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120)


class FieldData(NamedTuple):
    """Rows of the two charts, and the order of versions that gives them their colours."""

    accuracy: list[Row]
    latencies: list[Row]
    order: list[tuple[str, int]]


def load(store: Store) -> FieldData:
    """At most ``POINTS`` points a line, of the last seven days."""
    now_minute = int(time.time() // 60)
    since = max(queries.first_minute(store) or now_minute, now_minute - LOOK_BACK_MINUTES)
    wanted = (now_minute - since) / POINTS
    step = next((step for step in _STEPS if step >= wanted), _STEPS[-1])
    rows = queries.latencies(store)
    accuracy = queries.accuracy_by_minute(store, since, step)
    names = {(row["model"], row["version"]) for row in [*rows, *accuracy]}
    return FieldData(accuracy, rows, sorted(names))


class FieldSource:
    """Reads for one open page. Sums over a long history cost more: then they are read less often."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due_at = 0.0
        self._data = FieldData([], [], [])

    def load(self) -> FieldData:
        """What was read last, read again when that takes at most a tenth of the time since."""
        begun_at = time.monotonic()
        if begun_at >= self._due_at:
            self._data = load(self._store)
            ended_at = time.monotonic()
            self._due_at = ended_at + 10 * (ended_at - begun_at)
        return self._data


class FieldCharts:
    """The two charts beside each other."""

    def __init__(self, classes: str = "halves") -> None:
        with box(classes):
            self._accuracy = charts.Chart(
                "Accuracy in the field, by version",
                "No labelled windows yet: devices report accuracy where labels exist.",
            )
            self._latency = charts.Chart("Latency p50 and p99, by version", "No inferences reported yet.")

    def show(self, data: FieldData) -> None:
        """Draw what has changed."""
        latency = charts.latency(data.latencies)
        height_px = max(260, charts.latency_height_px(latency))
        self._accuracy.show(charts.accuracy(data.accuracy, data.order), height_px)
        self._latency.show(latency, height_px)
