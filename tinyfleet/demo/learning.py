"""Accuracy over time in the scenario ``drift``, from every window, and what it must show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from tinyfleet.bench.axis import Axis
from tinyfleet.bench.picture import Line, line_chart
from tinyfleet.demo.loop import Loop
from wire.messages import Telemetry

if TYPE_CHECKING:
    from tinyfleet.demo.result import DemoResult

_BIN_S: Final = 10.0
_BEFORE_S: Final = 60.0


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Ten seconds."""

    at_s: float
    """From the change."""
    remounted: float | None
    """Accuracy of the devices whose sensors were put back otherwise; None where nobody reported."""
    others: float | None


def curve(windows: Sequence[Telemetry], loop: Loop) -> list[Point]:
    """From a minute before the change to the end; which device is which is told by its own windows."""
    remounted = {window.device for window in windows if window.first is None}
    sums: dict[tuple[int, bool], list[int]] = {}
    for window in windows:
        at_s = (window.at_unix_s or 0.0) - loop.remounted_at
        if at_s >= -_BEFORE_S:
            found = sums.setdefault((int(at_s // _BIN_S), window.device in remounted), [0, 0])
            found[0] += window.labelled
            found[1] += window.correct
    bins = sorted({place for place, _ in sums})
    return [
        Point(
            at_s=(place + 0.5) * _BIN_S,
            remounted=_share(sums.get((place, True))),
            others=_share(sums.get((place, False))),
        )
        for place in bins
    ]


def mean(points: Sequence[Point], begin_s: float, end_s: float) -> float:
    """Of the remounted devices' accuracy between two times."""
    found = [p.remounted for p in points if begin_s <= p.at_s < end_s and p.remounted is not None]
    return sum(found) / len(found) if found else 0.0


def phases(result: DemoResult, loop: Loop) -> tuple[float, float, float]:
    """Accuracy of the remounted devices before the change, from it to the alert, and after the rollout."""
    alert_s, end_s = (at - loop.remounted_at for at in (loop.alerted_at, loop.rolled_out_at))
    points = result.curve
    return mean(points, -_BEFORE_S, 0), mean(points, 0, alert_s), mean(points, end_s, end_s + 1e6)


def picture(result: DemoResult, loop: Loop) -> str:
    """The curve as SVG."""
    points = [point for point in result.curve if point.remounted is not None and point.others is not None]
    lines = [
        Line("sensors put back otherwise", [p.at_s for p in points], [p.remounted or 0.0 for p in points]),
        Line("all others", [p.at_s for p in points], [p.others or 0.0 for p in points]),
    ]
    alert_s, end_s = (at - loop.remounted_at for at in (loop.alerted_at, loop.rolled_out_at))
    last = max((p.at_s for p in points), default=1.0)
    x = Axis(
        f"seconds since the change (alert at {alert_s:.0f}, v5 everywhere at {end_s:.0f})", -_BEFORE_S, last
    )
    return line_chart("Accuracy in the field", x, Axis("right answers", 0, 1, percent=True), lines)


def surprises(result: DemoResult, loop: Loop) -> Iterator[str]:
    """Every promise of the scenario that was not kept."""
    before, during, after = phases(result, loop)
    named = loop.alert["device_count"]
    last = result.versions["5"]
    promises = {
        "accuracy fell where sensors were put back otherwise": during < before - 0.15,
        "accuracy came back": after > during + 0.15,
        "the alert named most of them": named >= 6,
        "v5 was judged better on field data": loop.retrained["field"]["difference"] > 0.05,
        "v5 went out everywhere": last.confirmed == result.devices,
        "the device's model is traced to field data": bool(
            loop.device_lineage["chain"][0]["data"].get("field")
        ),
        "a sample is traced to devices": any(v["running"] for v in loop.sample_lineage["versions"]),
    }
    yield from (promise for promise, kept in promises.items() if not kept)


def _share(counts: list[int] | None) -> float | None:
    return counts[1] / counts[0] if counts and counts[0] else None
