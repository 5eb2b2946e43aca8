"""``python -m converter.planning.table FILE.tflite ...``: the table of docs/memory.md, by execution."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from converter.planning.apply import INPUTS, PlanReport, plan_model
from converter.planning.search import Proof
from wire.errors import FleetError
from wire.limits import MAX_BUNDLE_BYTES

_HEAD = (
    "model",
    "TFLM's head",
    "planned head",
    "lower bound",
    "proof",
    "arena before",
    "arena after",
    "outputs equal",
)


_PROOFS: Final[dict[Proof, str]] = {"bound": "bound reached", "exhaustion": "exhaustion", "none": "none"}


def row(name: str, report: PlanReport) -> str:
    """One line of the table, in Markdown; arenas are the smallest that really ran."""
    equal = f"{report.identical} of {INPUTS}" if report.applied else "same file"
    cells = [f"{report.greedy_head:,}", f"{report.head:,}", f"{report.lower_bound:,}", _PROOFS[report.proof]]
    cells += [f"{report.before.confirmed_min:,}", f"{report.after.confirmed_min:,}", equal]
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
