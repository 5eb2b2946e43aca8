"""The benchmark of rollouts as tables: for a terminal, and for the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from tinyfleet.bench.rollouts import Found, Report
from tinyfleet.bench.scenario import SCENARIOS
from tinyfleet.bench.virtual import WINDOW_S


def told(report: Report) -> str:
    """Everything, as Markdown."""
    return "\n\n".join([headline(report), by_gates(report), by_others(report)])


def headline(report: Report) -> str:
    """The promise and what came of it."""
    return (
        f"{report.runs} rollouts to {report.devices} devices without a regression: "
        f"**{report.false_stop_rate:.1%} stopped, {report.alpha:.0%} promised** (seed {report.seed})."
    )


def by_gates(report: Report) -> str:
    """A row a scenario."""
    found = {**report.finished, **report.detected}
    rows = [
        [scenario.title, *_cells(found[scenario.name]), _reasons(found[scenario.name])]
        for scenario in SCENARIOS
        if scenario.name in found
    ]
    header = [
        "planted",
        "rollouts",
        "stopped",
        "exposed, median",
        "90 %",
        "windows",
        "finished in",
        "by gate",
    ]
    return _markdown(header, rows)


def by_others(report: Report) -> str:
    """The same streams under other methods."""
    names = {"fixed": "20 % of installs failed", "repeated": "repeated test"}
    rows = [
        [scenario.title, names[method], *_cells(found[scenario.name])]
        for scenario in SCENARIOS
        for method, found in report.baseline.items()
        if scenario.name in found
    ]
    header = ["planted", "method", "rollouts", "stopped", "exposed, median", "90 %", "windows", "finished"]
    return _markdown(header, rows)


def _cells(found: Found) -> list[str]:
    return [
        str(found.runs),
        f"{found.rate:.1%}",
        _number(found.exposed_median),
        _number(found.exposed_p90),
        _number(None if found.delay_s_median is None else found.delay_s_median / WINDOW_S, ".1f"),
        _number(None if found.finish_s_median is None else found.finish_s_median / WINDOW_S),
    ]


def _reasons(found: Found) -> str:
    return ", ".join(f"{gate} {count}" for gate, count in found.reasons.items())


def _number(value: float | None, how: str = ".0f") -> str:
    return "" if value is None else format(value, how)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
