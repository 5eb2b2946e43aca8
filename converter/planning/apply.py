"""A plan put to the test: the planned file must answer the same, in a smaller arena, or it is not used."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from converter import flatbuffer, lint
from converter.arena import ArenaReport
from converter.execution import Executed, execute
from converter.planning.buffers import buffers_of
from converter.planning.offline import plan_in, with_plan
from converter.planning.search import search
from wire.errors import RefusedError
from wire.states import NumericsFamily

INPUTS: Final = 20
_SEED: Final = 20


class PlanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What planning gained; bytes, by execution in TFLM where a plan was tried."""

    applied: bool
    why: str
    """Why it was not, or how good the plan is."""
    head: int
    """Head under the plan that the file now has."""
    greedy_head: int
    """Head by TFLM's own planner, reproduced."""
    lower_bound: int
    """No plan can be smaller."""
    optimal: bool
    """Whether the head is the lower bound."""
    scratch_bytes: int
    """What kernels ask for beside the tensors: measured head less the reproduced one; 0 if one was inside."""
    before: ArenaReport
    after: ArenaReport
    identical: int = 0
    """Inputs on which both files gave the same bytes."""


def plan_model(model: bytes) -> tuple[bytes, PlanReport]:
    """The model with a better memory plan inside, or unchanged with the reason; never worse.

    Raises RefusedError or InputError for a model that is not a runnable int8 one.
    """
    parsed = flatbuffer.parse(model)
    spec, _ = lint.check(parsed)
    plan = search(buffers_of(parsed))
    inputs = np.random.default_rng(_SEED).integers(-128, 128, (INPUTS, *spec.shape[1:]), np.int8)
    before = execute(NumericsFamily.TFLM, model, inputs, measure_arena=True)
    arena = _arena(before)
    report = PlanReport(
        applied=False,
        why="TFLM's own plan is optimal"
        if plan.greedy_head == plan.lower_bound
        else "no better plan was found",
        head=plan.greedy_head,
        greedy_head=plan.greedy_head,
        lower_bound=plan.lower_bound,
        optimal=plan.greedy_head == plan.lower_bound,
        scratch_bytes=0 if plan_in(model) else arena.head - plan.greedy_head,
        before=arena,
        after=arena,
    )
    if plan.head >= plan.greedy_head:
        return model, report
    planned = with_plan(model, plan.offsets)
    try:
        after = execute(NumericsFamily.TFLM, planned, inputs, measure_arena=True)
    except RefusedError as error:
        return model, msgspec.structs.replace(report, why=f"TFLM refuses the plan: {error.message}"[:200])
    identical = int((after.outputs == before.outputs).reshape(INPUTS, -1).all(axis=1).sum())
    if identical != INPUTS or _arena(after).confirmed_min >= arena.confirmed_min:
        return model, msgspec.structs.replace(
            report, why="the planned file is no better", identical=identical
        )
    return planned, msgspec.structs.replace(
        report,
        applied=True,
        why="optimal: the head is the lower bound" if plan.optimal else "better, not proven optimal",
        head=plan.head,
        optimal=plan.optimal,
        after=_arena(after),
        identical=identical,
    )


def _arena(done: Executed) -> ArenaReport:
    assert done.arena is not None  # noqa: S101 - measured above
    return done.arena
