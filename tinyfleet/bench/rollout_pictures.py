"""The benchmark of rollouts in pictures: who is exposed before a stop, and who is stopped for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fleet_server.gates.judgement import settings
from tinyfleet.bench.axis import Axis
from tinyfleet.bench.picture import Bars, Line, bar_chart, line_chart
from tinyfleet.bench.rollouts import POLICY, Report
from tinyfleet.bench.scenario import SCENARIOS
from tinyfleet.bench.virtual import WINDOW_S

#: Drawn; what is hardly ever seen would lie on the axis.
_SHOWN: Final = {
    "accuracy_1": "-1 point",
    "accuracy_3": "-3 points",
    "accuracy_10": "-10 points",
    "latency_1.2": "latency x 1.2",
    "bricks_1": "1 % bricked",
    "bricks_5": "5 % bricked",
}
_POINTS: Final = 14
#: Counts as a stop, besides the gates.
_HARD_LIMIT: Final = "max_failed"


def exposure(report: Report) -> str:
    """Share of rollouts that are stopped before more devices than x were told; SVG."""
    x = Axis("devices told to take the version (logarithmic)", 10, report.devices, log=True)
    return _curves(report, "Exposed before the stop", x, lambda ending: ending[0])


def delay(report: Report) -> str:
    """Share of rollouts that are stopped within x telemetry windows; SVG."""
    x = Axis("telemetry windows since the first device", 0, 24)
    return _curves(report, "Time to the stop", x, lambda ending: ending[1] / WINDOW_S)


def false_stops(report: Report) -> str:
    """How often each method stops a version that does no harm; SVG."""
    methods = {"gates": report.finished, **report.baseline}
    names = {"gates": "gates", "fixed": "20 % of installs failed", "repeated": "test repeated at every look"}
    scenarios = [scenario for scenario in SCENARIOS if not scenario.harmful]
    bars = [
        Bars(names[method], [found[scenario.name].rate for scenario in scenarios])
        for method, found in methods.items()
    ]
    y = Axis("rollouts stopped", 0, 1, percent=True)
    return bar_chart("Stopped for nothing", "", [scenario.title for scenario in scenarios], y, bars)


def _curves(report: Report, title: str, x: Axis, value: Callable[[tuple[int, float, str]], float]) -> str:
    stops = {*settings(POLICY.gates), _HARD_LIMIT}
    lines = []
    for scenario in SCENARIOS:
        if scenario.name not in _SHOWN:
            continue
        endings = report.endings[scenario.name]
        values = sorted(value(ending) for ending in endings if ending[2] in stops)
        points = [x.low + (x.high - x.low) * step / _POINTS for step in range(_POINTS + 1)]
        if x.log:
            points = [x.low * (x.high / x.low) ** (step / _POINTS) for step in range(_POINTS + 1)]
        shares = [sum(each <= point for each in values) / len(endings) for point in points]
        lines.append(Line(_SHOWN[scenario.name], points, shares))
    return line_chart(title, x, Axis("rollouts stopped by then", 0, 1, percent=True), lines)
