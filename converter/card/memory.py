"""RAM and flash: what was measured, and what the memory plan gained."""

from __future__ import annotations

from converter import memory_map
from converter.card.markdown import table
from converter.report import Report


def arena(report: Report, *, has_map: bool) -> str:
    """The tensor arena and its picture."""
    if report.arena is None:
        return "TFLM was not run: no target of this bundle needs it."
    found = report.arena
    text = (
        f"TFLM's arena takes {found.total:,} bytes: head {found.head:,} (tensors and scratch), "
        f"tail {found.tail:,} (what it keeps). The smallest it really ran in is **{found.confirmed_min:,}** "
        "bytes. Measured on a 64-bit host: 32-bit cores need a little less."
    )
    picture = f"\n\n![Which bytes hold which tensor while which operator runs]({memory_map.FILE})"
    return text + (picture if has_map else "\n\nNo picture: the places of its tensors are not known.")


def plan(report: Report) -> str:
    """Planned against greedy against the lower bound."""
    if report.plan is None:
        return "No better memory plan was looked for (`convert --plan`)."
    found = report.plan
    rows = [
        ["head by TFLM's own (greedy) plan", f"{found.greedy_head:,}"],
        [
            "head by the plan in the file" if found.applied else "head now",
            f"{found.head:,}",
        ],
        ["lower bound: no plan can be smaller", f"{found.lower_bound:,}"],
        ["kernels' scratch beside the tensors", f"{found.scratch_bytes:,}"],
        ["smallest arena before", f"{found.before.confirmed_min:,}"],
        ["smallest arena after", f"{found.after.confirmed_min:,}"],
    ]
    same = f" Both files gave the same bytes on {found.identical} inputs." if found.applied else ""
    return f"Memory plan: {found.why}.{same}\n\n" + table(["", "bytes"], rows)


def targets(report: Report) -> str:
    """What a device is asked for."""
    rows = [
        [name, str(needs.numerics), f"{needs.ram_bytes:,}", f"{needs.flash_bytes:,}"]
        for name, needs in report.targets.items()
    ]
    return (
        "What devices are asked for: RAM is that smallest arena for tflm, and for xnnpack an upper bound by "
        "computation; flash is the model and its golden vectors.\n\n"
        + table(["target", "numerics", "RAM bytes", "flash bytes"], rows)
    )
