"""A plan put to the test: the planned file must answer the same, in a smaller arena, or it is not used."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from converter import flatbuffer, lint
from converter.arena import ArenaReport
from converter.execution import Executed, execute
from converter.planning.buffers import buffers_of
from converter.planning.offline import with_plan
from converter.planning.search import Plan, Proof, search
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
    """Head under the plan that the file now has, scratch memory left out."""
    greedy_head: int
    """Head by TFLM's own planner, reproduced."""
    lower_bound: int
    """No plan can be smaller."""
    optimal: bool
    """Whether it is proven that no plan has a smaller head."""
    proof: Proof = "none"
    """How: the head is the lower bound, or a search through all plans found no smaller one."""
    scratch_bytes: int
    """What kernels ask for beside the tensors: measured head less the reproduced one; 0 if one was inside."""
    before: ArenaReport
    after: ArenaReport
    identical: int = 0
    """Inputs on which both files gave the same bytes."""


def plan_model(model: bytes) -> tuple[bytes, PlanReport]:
    """The model with a better memory plan inside, or unchanged with the reason; never worse.

    A plan that the file has already is kept unless the new one is better. Raises RefusedError or
    InputError for a model that is not a runnable int8 one.
    """
    parsed = flatbuffer.parse(model)
    spec, _ = lint.check(parsed)
    buffers = buffers_of(parsed)
    plan = search(buffers)
    inputs = np.random.default_rng(_SEED).integers(-128, 128, (INPUTS, *spec.shape[1:]), np.int8)
    before = execute(NumericsFamily.TFLM, model, inputs, measure_arena=True)
    report = _unplanned(plan, _arena(before), has_plan=parsed.plan is not None)
    if plan.head >= report.head:
        return model, report
    planned = with_plan(model, plan.offsets)
    try:
        after = execute(NumericsFamily.TFLM, planned, inputs, measure_arena=True)
    except RefusedError as error:
        return model, msgspec.structs.replace(report, why=f"TFLM refuses the plan: {error.message}"[:200])
    identical = int((after.outputs == before.outputs).reshape(INPUTS, -1).all(axis=1).sum())
    if identical != INPUTS or _arena(after).confirmed_min >= report.before.confirmed_min:
        return model, msgspec.structs.replace(
            report, why="the planned file is no better", identical=identical
        )
    return planned, msgspec.structs.replace(
        report,
        applied=True,
        why=_WHY[plan.proof],
        head=plan.head,
        optimal=plan.optimal,
        proof=plan.proof,
        after=_arena(after),
        identical=identical,
    )


_WHY: Final[dict[Proof, str]] = {
    "bound": "optimal: the head is the lower bound",
    "exhaustion": "optimal: every smaller plan was ruled out",
    "none": "better, not proven optimal",
}


def _unplanned(plan: Plan, arena: ArenaReport, *, has_plan: bool) -> PlanReport:
    """What there is to say of the file as it came; its head under its own plan is the measured one."""
    head = arena.head if has_plan else plan.greedy_head
    optimal = plan.optimal and head == plan.head
    owner = "the file's plan" if has_plan else "TFLM's own plan"
    return PlanReport(
        applied=False,
        why=f"{owner} is optimal" if optimal else "no better plan was found",
        head=head,
        greedy_head=plan.greedy_head,
        lower_bound=plan.lower_bound,
        optimal=optimal,
        proof=plan.proof if optimal else "none",
        scratch_bytes=0 if has_plan else arena.head - plan.greedy_head,
        before=arena,
        after=arena,
    )


def _arena(done: Executed) -> ArenaReport:
    assert done.arena is not None  # noqa: S101 - measured above
    return done.arena
