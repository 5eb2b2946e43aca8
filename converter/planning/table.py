"""``python -m converter.planning.table FILE.tflite ...``: the table of docs/memory.md, by execution."""

from __future__ import annotations

import sys
from pathlib import Path

from converter.planning.apply import PlanReport, plan_model
from wire.errors import FleetError
from wire.limits import MAX_BUNDLE_BYTES

_HEAD = (
    "model",
    "TFLM's head",
    "planned head",
    "lower bound",
    "arena before",
    "arena after",
    "outputs equal",
)


def row(name: str, report: PlanReport) -> str:
    """One line of the table, in Markdown; arenas are the smallest that really ran."""
    proof = f"{report.identical} of {report.identical}" if report.applied else "same file"
    bound = f"{report.lower_bound:,}{' (reached)' if report.optimal else ''}"
    cells = [f"{report.greedy_head:,}", f"{report.head:,}", bound]
    cells += [f"{report.before.confirmed_min:,}", f"{report.after.confirmed_min:,}", proof]
    return f"| {' | '.join([name, *cells])} |"


def main(files: list[str]) -> None:
    """Plan each file and print its row."""
    lines = [f"| {' | '.join(_HEAD)} |", "|---|" + "---:|" * (len(_HEAD) - 1)]
    for file in map(Path, files):
        with file.open("rb") as stream:
            model = stream.read(MAX_BUNDLE_BYTES + 1)
        try:
            lines.append(row(file.stem, plan_model(model)[1]))
        except FleetError as error:
            lines.append(f"| {file.stem} | {error.message} |" + " |" * (len(_HEAD) - 2))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
