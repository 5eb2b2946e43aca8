"""Worlds for virtual rollouts: a version that is as good as the old one, and every kind that is worse."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleet_server.gates.metric import GateName
from tinyfleet.bench import streams
from tinyfleet.bench.streams import Reports
from tinyfleet.bench.subjects import Subjects
from tinyfleet.bench.virtual import Series, World
from wire.sketch import CONFIDENCE_BINS

#: The recorded version that both arms run: ``new`` of the data.
_VERSION: Final = 1
#: Windows before the rollout: a device's own past.
BASELINE_WINDOWS: Final = 12
PER_WINDOW: Final = 120


class Scenario(NamedTuple):
    """What is planted, from the first inference with the new version on."""

    name: str
    title: str
    points: float = 0.0
    """Accuracy that is lost, as a share."""
    slowdown: float = 1.0
    bricks: float = 0.0
    """Share of devices that fall silent while they install it."""
    drift: float = 0.0
    """Accuracy that every device loses in the middle of the rollout, whatever it runs."""

    @property
    def harmful(self) -> bool:
        """Whether a stop would be right."""
        return self.points > 0 or self.slowdown > 1 or self.bricks > 0


HARMLESS: Final = Scenario("none", "no regression")
SCENARIOS: Final = (
    HARMLESS,
    Scenario("drift", "drift of -10 points in both arms", drift=0.10),
    Scenario("accuracy_1", "accuracy -1 point", points=0.01),
    Scenario("accuracy_3", "accuracy -3 points", points=0.03),
    Scenario("accuracy_10", "accuracy -10 points", points=0.10),
    Scenario("latency_1.2", "latency x 1.2", slowdown=1.2),
    Scenario("bricks_0.1", "0.1 % of devices bricked", bricks=0.001),
    Scenario("bricks_1", "1 % of devices bricked", bricks=0.01),
    Scenario("bricks_5", "5 % of devices bricked", bricks=0.05),
)


def make_world(
    rng: np.random.Generator, data: Subjects, scenario: Scenario, devices: int, windows: int
) -> World:
    """Streams of ``devices`` over ``windows`` after the baseline."""
    total = (BASELINE_WINDOWS + windows) * PER_WINDOW
    since = BASELINE_WINDOWS * PER_WINDOW
    lives = streams.live(rng, data, devices, total)
    old = streams.answer(data, lives, _VERSION)
    if scenario.drift:
        middle = (BASELINE_WINDOWS + windows // 3) * PER_WINDOW
        old = streams.worsen(rng, data, lives, old, scenario.drift, middle)
    new = streams.worsen(rng, data, lives, old, scenario.points, since) if scenario.points else old
    before = streams.report(data, lives, old, PER_WINDOW)
    after = streams.report(data, lives, new, PER_WINDOW, scenario.slowdown)
    shares = before.classes[:, :BASELINE_WINDOWS].sum(axis=1) / since
    with_old, with_new = _series(before, shares), _series(after, shares)
    return World(
        old={name: _part(series, slice(BASELINE_WINDOWS, None)) for name, series in with_old.items()},
        new={name: _part(series, slice(BASELINE_WINDOWS, None)) for name, series in with_new.items()},
        baseline={
            name: _baseline(name, _part(series, slice(BASELINE_WINDOWS))) for name, series in with_old.items()
        },
        bricks=rng.random(devices) < scenario.bricks,
        phase=rng.random(devices),
    )


def _series(reports: Reports, shares: NDArray[np.float64]) -> dict[GateName, Series]:
    """As fleet_server.gates.metric measures telemetry, for all devices and windows at once."""
    n = float(reports.per_window)
    weights = np.full(reports.correct.shape, n)
    middles = (np.arange(CONFIDENCE_BINS) + 0.5) / CONFIDENCE_BINS
    moved = np.abs(reports.classes / n - shares[:, np.newaxis, :]).sum(axis=2) / 2
    return {
        "accuracy": Series(reports.correct.astype(np.float64), weights),
        "confidence": Series(reports.confidence @ middles, weights),
        "classes": Series(moved * n, weights),
        "latency": Series(reports.log_latency * n, weights),
    }


def _part(series: Series, windows: slice) -> Series:
    return Series(series.totals[:, windows], series.weights[:, windows])


def _baseline(name: GateName, before: Series) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = before.totals.sum(axis=1) / before.weights.sum(axis=1)
    return np.full_like(mean, np.nan) if name == "classes" else mean
