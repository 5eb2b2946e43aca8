"""What is wrong with a model's operators."""

from __future__ import annotations

from collections.abc import Iterator

from converter import opset
from converter.findings import Finding, error, info, warning
from converter.flatbuffer import Model, Operator

_CUSTOM = "CUSTOM"
_MOST_CONCATENATED = 10
"""``kMaxInputNum`` of tensorflow/lite/micro/kernels/concatenation.cc."""
Places = dict[tuple[str, int], list[int]]


def findings(model: Model) -> list[Finding]:
    """One finding per operator and problem; ``op`` is the first place."""
    places: Places = {}
    for graph in model.graphs:
        for place, op in enumerate(graph.operators):
            places.setdefault((op.name, op.version), []).append(place)
    return [
        *_resolution(places),
        *_versions(places),
        *_per_channel(model),
        *_reshapes(model),
        *_inputs(model),
    ]


def reshape_lacks_shape(op: Operator) -> bool:
    """Whether nothing but its output says which shape a RESHAPE is to make; LiteRT then refuses it."""
    return op.name == "RESHAPE" and not op.has_options and _shape_operand(op) < 0


def _shape_operand(op: Operator) -> int:
    return op.inputs[1] if len(op.inputs) > 1 else -1


def _resolution(places: Places) -> Iterator[Finding]:
    by_name: dict[str, list[int]] = {}
    for (name, _), found in places.items():
        by_name.setdefault(name, []).extend(found)
    for name, found in by_name.items():
        times = f"{len(found)} times" if len(found) > 1 else "once"
        if name.startswith(_CUSTOM):
            yield _custom(name.removeprefix(_CUSTOM).strip(), times, found[0])
        elif name not in opset.BUILTINS:
            yield error(
                "unsupported_op",
                f"TFLM has no {name} (used {times})",
                "build the model from operators that TFLM has, or compute this outside of it",
                found[0],
            )
        elif name in opset.CONTROL_FLOW:
            yield warning(
                "control_flow",
                f"{name} (used {times}) makes time and memory depend on the data",
                "unroll loops and branches",
                found[0],
            )


def _custom(name: str, times: str, place: int) -> Finding:
    if name in opset.CUSTOM:
        remedy = f"register {name} in the firmware's resolver"
        return warning("custom_op", f"{name} (used {times}) is TFLM's own; LiteRT lacks it", remedy, place)
    return error(
        "custom_op",
        f"neither TFLM nor LiteRT has the custom operator {name or 'without a name'} (used {times})",
        "replace it by builtin operators",
        place,
    )


def _versions(places: Places) -> Iterator[Finding]:
    for (name, version), found in places.items():
        highest = opset.BUILTINS.get(name)
        if highest is not None and version > highest:
            yield warning(
                "op_version",
                f"{name} is version {version}; known up to {highest}. LiteRT refuses it, and TFLM runs it "
                "without looking at the version",
                "convert it with a converter no newer than the runtimes",
                found[0],
            )


def _per_channel(model: Model) -> Iterator[Finding]:
    found = [
        place
        for graph in model.graphs
        for place, op in enumerate(graph.operators)
        if op.name == "FULLY_CONNECTED" and len(op.inputs) > 1 and op.inputs[1] >= 0
        if graph.tensors[op.inputs[1]].channels > 1
    ]
    if found:
        yield info(
            "per_channel_fc",
            f"{len(found)} FULLY_CONNECTED have a scale for each channel; today's TFLM computes them right",
            "firmware needs a TFLM with tflite-micro PR 2673 (2024): older ones answer wrong without a word",
            found[0],
        )


def _inputs(model: Model) -> Iterator[Finding]:
    wide = [
        place
        for graph in model.graphs
        for place, op in enumerate(graph.operators)
        if op.name == "CONCATENATION" and len(op.inputs) > _MOST_CONCATENATED
    ]
    if wide:
        yield error(
            "too_many_inputs",
            f"{len(wide)} CONCATENATION take more than {_MOST_CONCATENATED} tensors, which TFLM refuses",
            "concatenate in two steps",
            wide[0],
        )


def _reshapes(model: Model) -> Iterator[Finding]:
    bare, loose = [], []
    for graph in model.graphs:
        for place, op in enumerate(graph.operators):
            shape = _shape_operand(op)
            if reshape_lacks_shape(op):
                bare.append(place)
            elif op.name == "RESHAPE" and shape >= 0 and not graph.tensors[shape].constant:
                loose.append(place)
    if bare:
        yield error(
            "reshape_without_shape",
            f"{len(bare)} RESHAPE have neither options nor a shape tensor; LiteRT refuses them",
            "tinyfleet convert writes the output's shape into the options",
            bare[0],
        )
    if loose:
        yield warning(
            "computed_shape",
            f"{len(loose)} RESHAPE compute their shape; TFLM takes the shape that the file gives its output",
            "export it with a fixed input shape",
            loose[0],
        )
