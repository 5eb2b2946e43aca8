"""Latency of a model on a core, estimated from its work and published results of MLPerf Tiny.

No estimate is made for a core without published rows. ``python -m converter.latency`` prints the
table and its errors on held-out rows.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Final

import msgspec

from converter import calibration, held_out, rates
from converter.macs import Work
from converter.rates import Costs

PREFERRED: Final = ("hale-1.2", "renesas-1.2", "cube-ai-9.0", "microtvm-cmsis-nn", "tflm-reference")
"""The stack an estimate is of, when none is asked for: the first that has rows for the core."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="mlperf_tiny"):
    """Milliseconds of one inference with one software stack."""

    latency_ms: float
    low_ms: float
    """Like ``high_ms``: if this estimate errs as much as the worst on a model held out of the fit."""
    high_ms: float
    stack: str
    """See ``converter/data/mlperf_tiny.toml``."""
    median_error: float
    """Relative, over the models held out one by one, on this core with this stack."""
    worst_error: float


class NpuEstimate(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="vela"):
    """Milliseconds of one inference on an accelerator, by vela's cycle model; its error is not known."""

    latency_ms: float
    """Cycles at the board's clock."""
    cycles: int
    accelerator: str
    clock_mhz: float
    system_config: str
    """What vela took for the speed of the memories, at a clock of its own: not the board's own figures."""
    npu_operators: int | None
    """After vela's own rewriting; None when it did not say."""
    cpu_operators: int | None
    """Left to the core; their time is not in the estimate."""


class NoEstimate(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="none"):
    """Why there is none."""

    reason: str


@cache
def table() -> dict[str, dict[str, Costs]]:
    """Cycles per unit of work: stack -> core -> costs."""
    return {stack: rates.fit(calibration.rows(stack)) for stack in PREFERRED}


def stacks_for(core: str) -> list[str]:
    """Stacks with rows for the core, the preferred first; ``core`` as boards' ``target``."""
    return [stack for stack in PREFERRED if core in table()[stack]]


def estimate(work: Work, core: str, clock_mhz: float, stack: str | None = None) -> Estimate | NoEstimate:
    """Of one inference at ``clock_mhz``; ``core`` is a target such as ``cortex-m4``."""
    known = stacks_for(core)
    chosen = stack or next(iter(known), None)
    if chosen is None or chosen not in known:
        of_stack = "" if stack is None else f" of {stack}"
        return NoEstimate(reason=f"MLPerf Tiny has no results{of_stack} on {core}")
    if not work.macs:
        return NoEstimate(reason="the model has no layer with multiply-accumulates")
    latency_ms = table()[chosen][core].cycles(work) / (clock_mhz * 1e3)
    errors = held_out.of_core(chosen, core)
    return Estimate(
        latency_ms=round(latency_ms, 3),
        low_ms=round(latency_ms / (1 + max(0.0, *errors.values)), 3),
        high_ms=round(latency_ms / (1 + min(0.0, *errors.values)), 3),
        stack=chosen,
        median_error=round(errors.median, 3),
        worst_error=round(errors.worst, 3),
    )


def costs_table() -> str:
    """Markdown: the costs per stack and core, and the errors there."""
    lines = [
        "| stack | core | cycles per conv MAC | per dense MAC | per output | "
        "median error, model held out | worst |",
        "|---|---|---|---|---|---|---|",
    ]
    for stack, cores in table().items():
        for core, costs in cores.items():
            errors = held_out.of_core(stack, core)
            lines.append(
                f"| {stack} | {core} | {costs.conv:.2f} | {costs.dense:.2f} | {costs.output:.1f} "
                f"| {errors.median:.0%} | {errors.worst:.0%} |"
            )
    return "\n".join(lines)


def errors_table() -> str:
    """Markdown: median and worst relative error per stack, fitted and held out."""
    lines = [
        "| stack | rows | fitted: median, worst | one model held out | one board held out |",
        "|---|---|---|---|---|",
    ]
    for stack in PREFERRED:
        rows = calibration.rows(stack)
        cells = [held_out.fitted(rows), held_out.by_model(rows), held_out.by_board(rows)]
        shown = [f"{each.median:.0%}, {each.worst:.0%}" if each else "one board a core" for each in cells]
        lines.append(f"| {stack} | {len(rows)} | {' | '.join(shown)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{costs_table()}\n\n{errors_table()}\n")
