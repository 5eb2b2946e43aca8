"""What is wrong with scales and zero points: what runtimes refuse, and what TFLM computes wrong in silence.

Each rule was found, and is tested, by running spoilt models in TFLM and LiteRT.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from converter.findings import Finding, error, warning
from converter.flatbuffer import Graph, Model, Operator, Tensor

_AGAIN: Final = "convert it again; today's converters do not write this"
_LIMITS: Final = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}
_MOVING: Final = frozenset({
    "BATCH_TO_SPACE_ND", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND", "MIRROR_PAD", "RESHAPE",
    "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SQUEEZE",
    "STRIDED_SLICE", "TRANSPOSE", "UNPACK",
})  # fmt: skip
"""Their output's bytes are bytes of their first input."""
_CONVOLUTIONS: Final = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_LEAST_SOFTMAX: Final = 2.0**-26
_TANH: Final = (1 / 128, 0)


class _Place(NamedTuple):
    graph: Graph
    op: Operator
    at: int

    def operand(self, which: int) -> Tensor | None:
        """The tensor, None when it is left out."""
        index = self.op.inputs[which] if len(self.op.inputs) > which else -1
        return self.graph.tensors[index] if index >= 0 else None

    def result(self) -> Tensor | None:
        """The first output."""
        return self.graph.tensors[self.op.outputs[0]] if self.op.outputs else None


def findings(model: Model) -> Iterator[Finding]:
    """At most one finding a rule, with the first tensor or operator concerned."""
    tensors = [tensor for graph in model.graphs for tensor in graph.tensors if tensor.channels]
    places = [_Place(graph, op, at) for graph in model.graphs for at, op in enumerate(graph.operators)]
    yield from _axes(tensors)
    yield from _counts(tensors)
    yield from _values(tensors)
    yield from _weights(places)
    yield from _bare(places)
    yield from _fixed(places)
    yield from _jumps(places)
    yield from _flat(places)


def axis_out_of_range(tensor: Tensor) -> bool:
    """Whether the one scale of all values is said to lie along an axis that is not there."""
    return tensor.channels == 1 and bool(tensor.shape) and not 0 <= tensor.axis < len(tensor.shape)


def _axes(tensors: list[Tensor]) -> Iterator[Finding]:
    bad = [tensor for tensor in tensors if axis_out_of_range(tensor)]
    if bad:
        yield error(
            "quantised_axis",
            f"the one scale of {_shown(bad)} is along axis {bad[0].axis} of {len(bad[0].shape)}, "
            "which LiteRT refuses",
            "tinyfleet convert writes axis 0, which means the same for one scale",
        )


def _counts(tensors: list[Tensor]) -> Iterator[Finding]:
    bad = [tensor for tensor in tensors if tensor.zeros != tensor.channels or not _by_channel(tensor)]
    if bad:
        one = bad[0]
        yield error(
            "channel_scales",
            f"{_shown(bad)} has {one.channels} scales and {one.zeros} zero points for shape "
            f"{list(one.shape)} along axis {one.axis}",
            _AGAIN,
        )


def _by_channel(tensor: Tensor) -> bool:
    if tensor.channels == 1:
        return True
    return 0 <= tensor.axis < len(tensor.shape) and tensor.shape[tensor.axis] == tensor.channels


def _values(tensors: list[Tensor]) -> Iterator[Finding]:
    """A channel of zeros may have scale 0."""
    scales = [t for t in tensors if not 0 <= t.scale_range[0] <= t.scale_range[1] < math.inf]
    scales += [t for t in tensors if t.channels == 1 and t.scale_range[0] == 0]
    if scales:
        yield error("bad_scale", f"{_shown(scales)} has a scale of {scales[0].scale_range[0]}", _AGAIN)
    zeros = [t for t in tensors if t.dtype in _LIMITS and not _inside(t.zero_range, _LIMITS[t.dtype])]
    if zeros:
        said = f"{_shown(zeros)} has a zero point of {zeros[0].zero_range}, outside {zeros[0].dtype.lower()}"
        yield error("bad_zero_point", said, _AGAIN)


def _inside(found: tuple[int, int], limits: tuple[int, int]) -> bool:
    return limits[0] <= found[0] and found[1] <= limits[1]


def _weights(places: list[_Place]) -> Iterator[Finding]:
    bad = [place for place in places if place.op.name in _CONVOLUTIONS and _off_centre(place.operand(1))]
    if bad:
        yield error(
            "weights_zero_point",
            f"int8 weights of {bad[0].op.name} have a zero point other than 0; LiteRT refuses that, and TFLM "
            "computes as if it were 0",
            _AGAIN,
            bad[0].at,
        )


def _off_centre(weights: Tensor | None) -> bool:
    return weights is not None and weights.dtype == "INT8" and weights.zero_range != (0, 0)


def _bare(places: list[_Place]) -> Iterator[Finding]:
    """Constants that int8 arithmetic reads; tensors that are computed are for ``lint``."""
    bad = [(place, index) for place in places if _scaled(place.result()) for index in place.op.inputs]
    bad = [(place, index) for place, index in bad if index >= 0 and _unscaled(place.graph.tensors[index])]
    if bad:
        place, index = bad[0]
        said = f"int8 constant {index} of {place.op.name} has no scale and zero point"
        yield error("no_quantisation", said, _AGAIN, place.at)


def _scaled(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.dtype == "INT8" and tensor.channels > 0


def _unscaled(tensor: Tensor) -> bool:
    return tensor.constant and tensor.dtype == "INT8" and not tensor.channels


def _fixed(places: list[_Place]) -> Iterator[Finding]:
    bad = [place for place in places if _ignored_scale(place)]
    if bad:
        name = bad[0].op.name
        yield error(
            "fixed_scale",
            f"TFLM's {name} ignores the scale that the file gives its output, and answers wrong",
            "fuse RELU6 into the layer before it" if name == "RELU6" else _AGAIN,
            bad[0].at,
        )


def _ignored_scale(place: _Place) -> bool:
    taken, given = place.operand(0), place.result()
    if taken is None or given is None or not (_scaled(taken) and _scaled(given)):
        return False
    expected = {"RELU6": _scale(taken), "TANH": _TANH}.get(place.op.name)
    return expected is not None and _scale(given) != expected


def _jumps(places: list[_Place]) -> Iterator[Finding]:
    for place in places:
        taken, given = place.operand(0), place.result()
        if place.op.name not in _MOVING or taken is None or given is None:
            continue
        if _scaled(taken) and _scaled(given) and _scale(taken) != _scale(given):
            yield warning(
                "scale_jump",
                f"{place.op.name} moves values as they are, but its output has another scale: they mean "
                "something else then",
                _AGAIN,
                place.at,
            )
            return


def _flat(places: list[_Place]) -> Iterator[Finding]:
    """``QuantizeMultiplierGreaterThanOne`` in TFLM's softmax checks scale * 2^26 > 1, and aborts."""
    softmax = [(place, place.operand(0)) for place in places if place.op.name == "SOFTMAX"]
    bad = [(place, taken) for place, taken in softmax if taken is not None and _scaled(taken)]
    bad = [(place, taken) for place, taken in bad if 0 < taken.scale_range[0] <= _LEAST_SOFTMAX]
    if bad:
        place, taken = bad[0]
        yield error(
            "flat_softmax",
            f"SOFTMAX takes values of scale {taken.scale_range[0]:.1e}: the model answers all inputs alike, "
            "and TFLM stops the device at it",
            "train it, or look for the layer that gives nothing but zeros",
            place.at,
        )


def _scale(tensor: Tensor) -> tuple[float, int]:
    return tensor.scale_range[0], tensor.zero_range[0]


def _shown(tensors: list[Tensor]) -> str:
    more = f" (and {len(tensors) - 1} more)" if len(tensors) > 1 else ""
    return f"tensor {tensors[0].index}{more}"
