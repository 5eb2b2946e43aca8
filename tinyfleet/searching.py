"""A search from the command line: the trainer's search with the converter's measurements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import boards as catalogue
from tinyfleet.measuring import measure
from tinyfleet.output import emit, say
from tinyfleet.table import table
from trainer.search import picture
from trainer.search.measured import Cost, Limits, Quantisation
from trainer.search.result import Result, Row
from trainer.search.search import Wish, search
from wire.errors import InputError

PICTURE = "pareto.svg"


def run_search(
    source: str,
    out: Path,
    *,
    boards: Sequence[str],
    limits: tuple[float | None, int | None, int | None],
    minimise: Sequence[str],
    quantisations: Sequence[str],
    groups: Any,
    recipe: str | None,
    fixed: dict[str, Any],
    seed: int,
    trials: int,
    jobs: int,
    storage: str | None,
    as_json: bool,
) -> None:
    """Search, draw, and print; NotFoundError for a board that is not in the catalogue."""
    if not boards:
        raise InputError("no_board", "a search is under a board's limits", "give --board NAME")
    for name in boards:
        catalogue.load(name)
    latency_ms, ram_bytes, flash_bytes = limits
    wish = Wish(
        source=source,
        boards=boards,
        limits=Limits(max_latency_ms=latency_ms, max_ram_bytes=ram_bytes, max_flash_bytes=flash_bytes),
        minimise=_each(minimise, Cost, "--minimise"),
        quantisations=_each(quantisations, Quantisation, "--quantise"),
        groups=groups,
        recipe=recipe,
        fixed=fixed,
        seed=seed,
    )
    found = search(wish, out, trials=trials, measure=measure, jobs=jobs, url=storage, progress=say)
    (out / PICTURE).write_bytes(picture.draw(found))
    emit({"study": str(out), "result": found}, as_json, lambda: "\n".join(_lines(found, out)))


def _each(names: Sequence[str], kind: Any, option: str) -> list[Any]:
    try:
        return [msgspec.convert(name, kind) for name in names]
    except msgspec.ValidationError as error:
        raise InputError("bad_option", f"{option}: {error}", "see --help") from error


def _lines(found: Result, out: Path) -> list[str]:
    shown = sorted(found.trials, key=lambda row: (not row.front, -(row.accuracy_int8 or 0), row.number))
    header = ("TRIAL", "FRONT", "ACCURACY", *_columns(found), "FORM", "HYPERPARAMETERS OR WHY NOT")
    lines = [table(header, [_cells(row, found) for row in shown]), ""]
    lines.append("accuracy is of the int8 model on the validation groups: optimistic, and for choosing only")
    if found.metrics is None:
        lines.append("no trial is within the limits; raise them, or try more")
    else:
        lines.append(
            f"trial {found.chosen} is kept as {found.run}: float accuracy {found.metrics.test_accuracy:.3f} "
            f"on the held-out groups, which were looked at once"
        )
        lines.append(f"next: {found.next}")
    lines.append(f"{out / 'study.json'} and {out / PICTURE} have all of it")
    return lines


def _columns(found: Result) -> list[str]:
    return [f"{name.upper()} {board}" for board in found.settings.boards for name in found.settings.minimise]


def _cells(row: Row, found: Result) -> list[str]:
    costs = []
    for name in found.settings.boards:
        for cost in found.settings.minimise:
            value = None if row.measured is None else row.measured.boards[name].cost(cost)
            costs.append("-" if value is None else f"{value:,g}" if cost == "latency" else f"{value:,.0f}")
    accuracy = "-" if row.accuracy_int8 is None else f"{row.accuracy_int8:.3f}"
    words = " ".join(f"{name}={_short(value)}" for name, value in row.hyperparameters.items())
    return [
        str(row.number) + ("*" if row.number == found.chosen else ""),
        "yes" if row.front else "",
        accuracy,
        *costs,
        row.quantisation,
        row.reason or words,
    ]


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
