"""Claims about the memory plan and its picture."""

from __future__ import annotations

from converter import memory_map
from converter.planning.apply import PlanReport
from converter.planning.buffers import Buffer, buffers_of
from converter.planning.offline import plan_in
from converter.planning.placement import Offsets, height, overlaps
from converter.planning.search import search
from converter.verification.case import Case
from converter.verification.claim import Claim, compared, false, not_checked, verified
from converter.verification.shipped import NO_REPORT
from wire.errors import RefusedError


def plan(case: Case) -> Claim:
    """The plan in the file overlaps nothing; heads and lower bound are found again."""
    said = None if case.report is None else case.report.plan
    carried = plan_in(case.model)
    try:
        buffers = buffers_of(case.graph)
    except RefusedError as error:
        if said is not None:
            raise false("plan", f"no plan can be made of such a model: {error.message}") from error
        return not_checked("plan", f"nothing is claimed, and {error.message}")
    if carried is not None:
        _check_valid(buffers, carried)
    if said is None:
        return verified("plan", "none is claimed" + _valid(carried))
    return _check_figures(said, buffers, carried, case)


def _valid(carried: Offsets | None) -> str:
    return "" if carried is None else "; the one in the file overlaps nothing"


def _check_valid(buffers: list[Buffer], carried: Offsets) -> None:
    placed = [buffer for buffer in buffers if buffer.tensor in carried]
    shared = overlaps(placed, carried)
    if shared:
        one, other = shared[0]
        raise false("plan", f"tensors {one} and {other} share bytes while both are needed")


def _check_figures(said: PlanReport, buffers: list[Buffer], carried: Offsets | None, case: Case) -> Claim:
    again = search(buffers)
    pairs = {
        "greedy head": (said.greedy_head, again.greedy_head),
        "lower bound": (said.lower_bound, again.lower_bound),
        "head": (said.head, _head(said, buffers, carried, again.greedy_head)),
        "optimal": (said.optimal, said.head == again.lower_bound),
        "arena after": (said.after, None if case.report is None else case.report.arena),
        "arena before": (said.before, said.before if said.applied else said.after),
    }
    for what, (claimed, found) in pairs.items():
        compared("plan", claimed, found, what)
    planned = f"planned head {said.head:,}, " if said.applied else ""
    before = "; the arena before it is checked with --source" if said.applied else ""
    return verified(
        "plan",
        f"{planned}greedy head {again.greedy_head:,}, lower bound {again.lower_bound:,}"
        f"{_valid(carried)}{before}",
    )


def _head(said: PlanReport, buffers: list[Buffer], carried: Offsets | None, greedy_head: int) -> int:
    if not said.applied:
        return greedy_head
    if carried is None or any(buffer.tensor not in carried for buffer in buffers):
        raise false("plan", "the file does not carry the plan that is claimed")
    return height(buffers, carried)


def picture(case: Case) -> Claim:
    """The memory map, drawn again."""
    held = case.bundle.files.get(memory_map.FILE)
    if case.report is None:
        return not_checked("memory_map", NO_REPORT)
    arena = case.report.arena
    drawn = None if arena is None else memory_map.draw(case.model, case.graph, arena)
    if held != drawn:
        raise false("memory_map", f"{memory_map.FILE} is not the picture of this model and this arena")
    return verified(
        "memory_map", "none, as it cannot be drawn" if drawn is None else "drawn again, same bytes"
    )
