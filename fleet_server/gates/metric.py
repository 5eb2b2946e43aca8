"""What the comparing gates measure: from a device's telemetry to sums that add up over windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from wire.messages import Telemetry
from wire.sketch import CONFIDENCE_BINS, latency_quantile_us

GateName = Literal["accuracy", "errors", "latency", "confidence", "classes", "memory", "energy"]


class Metric(NamedTuple):
    """One number that a device has in every window, and what it means when it changes."""

    name: GateName
    worse: Literal[1, -1]
    """1 where more of it is worse, -1 where less is."""
    logarithmic: bool
    """Compared by ratio; its sums are of natural logarithms."""
    floor: float
    """Standard deviation that a difference between devices may have without any cause: its resolution."""


METRICS: Final = (
    Metric("accuracy", -1, False, 0.01),
    Metric("errors", 1, False, 0.0005),
    Metric("latency", 1, True, 0.02),
    Metric("confidence", -1, False, 0.01),
    Metric("classes", 1, False, 0.01),
    Metric("memory", 1, True, 0.02),
    Metric("energy", 1, True, 0.02),
)


class Sums(NamedTuple):
    """Weighted sum of a metric over some inferences, and its weight: their number."""

    total: float
    weight: float


def measure(window: Telemetry, percentile: int) -> dict[GateName, Sums]:
    """Sums of one telemetry window; what it does not say is left out. Classes: see :func:`distance`."""
    answered = sum(window.confidence)
    found: dict[GateName, Sums] = {"errors": Sums(window.errors, window.n)}
    if window.labelled:
        found["accuracy"] = Sums(window.correct, window.labelled)
    if answered:
        found["confidence"] = Sums(_mean_confidence(window.confidence) * answered, answered)
    if (latency := latency_quantile_us(window.latency, percentile / 100)) is not None:
        found["latency"] = _log_sums(latency, window.n)
    if memory := window.arena_bytes or window.rss_bytes:
        found["memory"] = _log_sums(memory, window.n)
    if window.energy_uj and answered:
        found["energy"] = _log_sums(window.energy_uj / answered, answered)
    return found


def distance(classes: Sequence[int], before: Mapping[int, float]) -> Sums:
    """Total variation distance of a class histogram from the shares ``before``, in [0, 1]."""
    n = sum(classes)
    if n == 0:
        return Sums(0.0, 0.0)
    half = sum(abs(count / n - before.get(label, 0.0)) for label, count in enumerate(classes)) / 2
    beyond = sum(share for label, share in before.items() if label >= len(classes)) / 2
    return Sums((half + beyond) * n, n)


def _mean_confidence(histogram: Sequence[int]) -> float:
    return sum((index + 0.5) / CONFIDENCE_BINS * count for index, count in enumerate(histogram)) / sum(
        histogram
    )


def _log_sums(value: float, weight: int) -> Sums:
    return Sums(math.log(value) * weight, weight)
