"""Claims about the memory plan and its picture."""

from __future__ import annotations

import msgspec

from converter import memory_map
from converter.planning.apply import PlanReport, plan_model
from converter.planning.buffers import Buffer, buffers_of
from converter.planning.offline import plan_in, without_plan
from converter.planning.placement import Offsets, height, overlaps
from converter.verification.case import Case
from converter.verification.claim import Claim, compared, false, not_checked, verified
from converter.verification.shipped import NO_REPORT
from converter.versions import differences
from wire.errors import RefusedError


def plan(case: Case) -> list[Claim]:
    """The plan in the file overlaps nothing; planning again without it finds the same figures."""
    said = None if case.report is None else case.report.plan
    carried = plan_in(case.model)
    try:
        buffers = buffers_of(case.graph)
    except RefusedError as error:
        if said is not None:
            raise false("plan", f"no plan can be made of such a model: {error.message}") from error
        return [not_checked("plan", f"nothing is claimed, and {error.message}")]
    if carried is not None:
        _check_valid(buffers, carried)
    valid = "" if carried is None else "; the plan in the file overlaps nothing"
    if said is None:
        return [verified("plan", f"no gain is claimed{valid}")]
    if said.applied and (carried is None or any(buffer.tensor not in carried for buffer in buffers)):
        raise false("plan", "the file does not carry the plan that is claimed")
    if said.applied and carried is not None:
        compared("plan", said.head, height(buffers, carried), "head of the plan in the file")
    return _check_again(case, said, valid)


def _check_valid(buffers: list[Buffer], carried: Offsets) -> None:
    placed = [buffer for buffer in buffers if buffer.tensor in carried]
    shared = overlaps(placed, carried)
    if shared:
        one, other = shared[0]
        raise false("plan", f"tensors {one} and {other} share bytes while both are needed")


def _check_again(case: Case, said: PlanReport, valid: str) -> list[Claim]:
    """The file without its plan stands for the file before planning, unless that came with another plan."""
    other = differences(case.lineage, ["tflite-micro"])
    _, again = plan_model(without_plan(case.model) if said.applied else case.model)
    unknown = said.applied and said.before.head != said.greedy_head + said.scratch_bytes
    if unknown:
        again = msgspec.structs.replace(again, before=said.before, scratch_bytes=said.scratch_bytes)
    for name in PlanReport.__struct_fields__:
        claim = compared("plan", getattr(said, name), getattr(again, name), name, other)
        if claim.status == "not_checked":
            return [claim]
    heads = f"head {said.head:,} of greedy {said.greedy_head:,}, lower bound {said.lower_bound:,}"
    found = [verified("plan", f"{heads}, planned again{valid}")]
    if unknown:
        found.append(not_checked("arena_before", "the source came with a plan of its own; give --source"))
    return found


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
