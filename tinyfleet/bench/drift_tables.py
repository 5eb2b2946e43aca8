"""The drift benchmark in Markdown."""

from __future__ import annotations

from tinyfleet.bench.drift import Found, Report


def told(report: Report) -> str:
    """One paragraph and one table."""
    lines = [
        f"{report.fleets} fleets of {report.devices} devices without drift, watched for {report.looks} looks",
        f"each (seed {report.seed}): **{report.false_alarm_rate:.1%} had a false alarm,",
        f"{report.promised:.0%} is promised**.",
        f"{report.changed_a_look:.2%} of the devices were said to have changed in one look;",
        f"{report.turnover:.2%} had another wearer. In {report.outlier_rate:.1%} of the fleets a device was",
        "said to be unlike all others.",
    ]
    rows = [
        "| what happened | fleets | drift seen | looks until then, median | devices found | rightly |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_row(name, found) for name, found in report.detected.items()),
    ]
    return "\n".join([*lines, "", *rows])


def _row(name: str, found: Found) -> str:
    delay = "" if found.delay_looks_median is None else f"{found.delay_looks_median:.0f}"
    cells = [
        name,
        str(found.fleets),
        f"{found.alarms:.0%}",
        delay,
        _share(found.named),
        _share(found.rightly),
    ]
    return f"| {' | '.join(cells)} |"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
