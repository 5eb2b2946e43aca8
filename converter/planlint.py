"""What is wrong with a memory plan that a file carries: TFLM follows it without a look."""

from __future__ import annotations

from collections.abc import Iterator

from converter.findings import Finding, error
from converter.flatbuffer import Model
from converter.planning.buffers import ALIGNMENT, buffers_of
from converter.planning.offline import plan_of
from converter.planning.placement import overlaps
from wire.errors import InputError

_REMEDY = "tinyfleet convert takes the plan out, and with --plan makes a right one"


def findings(model: Model) -> Iterator[Finding]:
    """At most one finding; plans of several subgraphs are not looked into."""
    try:
        offsets = plan_of(model)
    except InputError as damaged:
        yield error("damaged_plan", f"{damaged.message}; TFLM refuses it", _REMEDY)
        return
    if not offsets or len(model.graphs) > 1 or model.external_buffers:
        return
    planned = [buffer for buffer in buffers_of(model) if buffer.tensor in offsets]
    shared = overlaps(planned, offsets)
    ragged = [buffer.tensor for buffer in planned if offsets[buffer.tensor] % ALIGNMENT]
    if shared:
        one, other = shared[0]
        said = f"in the memory plan tensors {one} and {other} share bytes while both are needed"
        yield error("bad_plan", f"{said} ({len(shared)} such pairs)", _REMEDY)
    elif ragged:
        said = f"the memory plan puts tensor {ragged[0]} at {offsets[ragged[0]]}, no multiple of {ALIGNMENT}"
        yield error("bad_plan", said, _REMEDY)
