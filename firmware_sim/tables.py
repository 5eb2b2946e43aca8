"""The figures of ``tinyfleet bench mcu`` as Markdown, and their place in a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from firmware_sim import cycles
from firmware_sim.cmsis_check import Check
from firmware_sim.comparison import Comparison, Flagged
from wire.errors import InputError

_PLACE: Final = "<!-- tinyfleet bench {}: {} -->"
_PROSE: Final = {"published", "source", "note", "error"}


def placed(page: str, tables: str, bench: str = "mcu") -> str:
    """``page`` with ``tables`` between its marks of that benchmark; InputError when it has none."""
    begin, end = _PLACE.format(bench, "begin"), _PLACE.format(bench, "end")
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise InputError("no_marks", "the page has no place for the tables", f"put in {begin} and {end}")
    return f"{before}{begin}\n\n{tables}\n\n{end}{after}"


def runs(found: Sequence[Comparison]) -> str:
    """A row per model and board, with what was published for the same model on the same core behind."""
    head = (
        "model", "board (core, MHz)", "RAM = arena + stack + variables", "TFLM's arena", "RAM, ratio",
        "flash = runtime + model", "instructions", "cycles, estimated", "ms, estimated", "same bytes as TFLM",
    )  # fmt: skip
    return _table(head, (_run(each) for each in found))


def others(found: Sequence[Comparison]) -> str:
    """What was published, and our estimate at the same clock; one row per figure."""
    head = ("model", "core", "stack", "board", "ms", "million cycles", "ours, million cycles (estimated)")
    rows = {
        (each.model, it.core, other.stack, other.board, f"{other.latency_ms:g}", _millions(other.cycles),
         _millions(it.cycles_estimated[0])): None
        for each in found if (it := each.execution) is not None
        for other in each.published
    }  # fmt: skip
    return _table(head, rows)


def by_flag(found: Sequence[Flagged]) -> str:
    """Compiler flags side by side."""
    head = ("model", "core", "flag", "runtime, bytes", "instructions", "cycles, estimated", "stack, bytes")
    return _table(
        head,
        (
            (each.model, each.core, f"`{each.flag}`", f"{each.code_bytes:,}", f"{each.instructions:,}",
             f"{each.cycles_estimated:,}", f"{each.stack_bytes:,}")
            for each in found
        ),
    )  # fmt: skip


def checks(found: Sequence[Check]) -> str:
    """The estimate beside a board."""
    head = (
        "model, without SOFTMAX", "kernels", "compiler", "cycles, estimated", "refills of 1, of 3",
        "of it ADD", "same bytes as TFLM", "ms, estimated", "ms, published", "ratio",
    )  # fmt: skip
    return _table(
        head,
        (
            (each.model, each.kernels, each.compiler, f"{each.cycles_estimated:,}",
             f"{each.cycles_low:,}, {each.cycles_high:,}", f"{each.add_cycles:,}",
             "yes" if each.bit_exact_with_tflm else "no",
             f"{each.latency_ms:.1f}", f"{each.published_ms:.1f}", f"{each.ratio:.2f}")
            for each in found
        ),
    )  # fmt: skip


def cycle_tables() -> str:
    """The figures of every core's table."""
    tables = {core: cycles.table_of(core) for core in cycles.cores()}
    fields = [field for field in cycles.CycleTable.__struct_fields__ if field not in _PROSE]
    plain = {core: msgspec.to_builtins(table) for core, table in tables.items()}
    rows = ((field.replace("_", " "), *(str(plain[core][field]) for core in tables)) for field in fields)
    notes = [
        f"- `{core}`: {table.source}; {table.note}. Error: {table.error}." for core, table in tables.items()
    ]
    return _table(("cycles", *tables), rows) + "\n\n" + "\n".join(notes)


def _run(each: Comparison) -> tuple[str, ...]:
    it = each.execution
    if it is None:
        return (each.model, each.board, each.refused, *[""] * 7)
    return (
        each.model,
        f"{it.board} ({it.core}, {it.clock_mhz:g})",
        f"{it.ram_bytes:,} = {it.arena_bytes:,} + {it.stack_bytes:,} + {it.variable_bytes:,}",
        f"{each.tflm_arena.confirmed_min:,}",
        f"{each.ram_to_tflm_arena:.2f}",
        f"{it.flash_bytes:,} = {it.runtime_flash_bytes:,} + {it.model_flash_bytes:,}",
        f"{it.instructions[0]:,}",
        f"{it.cycles_estimated[0]:,}",
        f"{it.latency_ms:.1f}",
        "yes" if it.bit_exact_with_tflm else f"no: {it.differing_bytes} differ",
    )


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
