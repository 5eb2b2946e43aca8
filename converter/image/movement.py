"""Operators that move values: what each takes from where, and puts where.

Sources: tensorflow/lite/micro/kernels/{concatenation,pack,split,split_v,unpack}.cc, *_common.cc of slice,
strided_slice, transpose, and tensorflow/lite/kernels/internal/reference/strided_slice.h.
"""

from __future__ import annotations

from itertools import accumulate

from converter.image.copies import Copy, copies
from converter.image.graph import Array, Node, Tensor
from converter.image.operands import axis_of, whole_numbers
from converter.image.step import Step
from converter.image.view import view


def concatenation(node: Node) -> Step:
    """Of one scale: TFLM refuses others."""
    if node.options is None or node.options.fusedActivationFunction:
        raise node.refused("has a fused activation")
    parts = [node.input(place) for place in range(len(node.inputs))]
    axis = axis_of(node, node.options.axis, len(node.output.shape))
    if any((part.scale, part.zero) != (node.output.scale, node.output.zero) for part in parts):
        raise node.refused("joins tensors of several scales")
    if any(len(part.shape) != len(node.output.shape) for part in parts):
        raise node.refused("joins tensors of several ranks")
    ends = list(accumulate(part.shape[axis] for part in parts))
    if ends[-1] != node.output.shape[axis]:
        raise node.refused(f"makes {node.output.shape} of parts that are {ends[-1]} long")
    whole = view(node.output.shape).swapaxes(0, axis)
    moves = [
        Copy(part, view(part.shape), node.output, whole[end - part.shape[axis] : end].swapaxes(0, axis))
        for part, end in zip(parts, ends, strict=True)
    ]
    return copies(node, moves)


def pack(node: Node) -> Step:
    """PACK: each operand to its place on a new axis."""
    axis = axis_of(node, 0 if node.options is None else node.options.axis, len(node.output.shape))
    if node.output.shape[axis] != len(node.inputs):
        raise node.refused(f"makes {node.output.shape} of {len(node.inputs)} tensors")
    whole = view(node.output.shape).swapaxes(0, axis)
    moves = [
        Copy(
            node.input(place),
            view(node.input(place).shape),
            node.output,
            whole[place : place + 1].swapaxes(0, axis).squeeze(axis),
        )
        for place in range(len(node.inputs))
    ]
    return copies(node, moves)


def unpack(node: Node) -> Step:
    """UNPACK: each place on an axis to a tensor of its own."""
    given = node.input(0)
    axis = axis_of(node, 0 if node.options is None else node.options.axis, len(given.shape))
    if given.shape[axis] != len(node.outputs):
        raise node.refused(f"makes {len(node.outputs)} tensors of {given.shape}")
    whole = view(given.shape).swapaxes(0, axis)
    moves = [
        Copy(given, whole[at : at + 1].swapaxes(0, axis).squeeze(axis), made, view(made.shape))
        for at, made in enumerate(node.outputs)
    ]
    return copies(node, moves)


def split(node: Node) -> Step:
    """SPLIT, and SPLIT_V, whose operands are in another order; parts are as long as their tensors."""
    given, at = (node.input(0), 2) if node.name == "SPLIT_V" else (node.input(1), 0)
    axis = axis_of(node, whole_numbers(node, at)[0], len(given.shape))
    if any(len(made.shape) != len(given.shape) for made in node.outputs):
        raise node.refused("makes tensors of another rank")
    ends = list(accumulate(made.shape[axis] for made in node.outputs))
    if ends[-1] != given.shape[axis]:
        raise node.refused(f"makes parts of {ends[-1]} of {given.shape}")
    whole = view(given.shape).swapaxes(0, axis)
    moves = [
        Copy(given, whole[end - made.shape[axis] : end].swapaxes(0, axis), made, view(made.shape))
        for made, end in zip(node.outputs, ends, strict=True)
    ]
    return copies(node, moves)


def slice_of(node: Node) -> Step:
    """SLICE; a size of -1 is all the rest."""
    given = node.input(0)
    begins, sizes = whole_numbers(node, 1), whole_numbers(node, 2)
    if not len(begins) == len(sizes) == len(given.shape):
        raise node.refused(f"slices {len(begins)} axes of {given.shape}")
    ends = [
        length if size == -1 else begin + size
        for length, begin, size in zip(given.shape, begins, sizes, strict=True)
    ]
    if any(
        not 0 <= begin <= end <= length for begin, end, length in zip(begins, ends, given.shape, strict=True)
    ):
        raise node.refused(f"slices {begins} to {ends} of {given.shape}")
    parts = tuple(slice(begin, end) for begin, end in zip(begins, ends, strict=True))
    return _one(node, given, view(given.shape)[parts])


def strided_slice(node: Node) -> Step:
    """STRIDED_SLICE, with masks for begin, end and axes that vanish; TFLM has no others."""
    given, options = node.input(0), node.options
    bounds = [whole_numbers(node, place) for place in (1, 2, 3)]
    if any(len(one) != len(given.shape) for one in bounds):
        raise node.refused(f"slices other axes than those of {given.shape}")
    if options.ellipsisMask or options.newAxisMask or options.offset:
        raise node.refused("has an ellipsis, a new axis, or an end counted from its beginning")
    parts: list[slice | int] = []
    for axis, (begin, end, step) in enumerate(zip(*bounds, strict=True)):
        if step == 0:
            raise node.refused("has a step of 0")
        if options.shrinkAxisMask >> axis & 1:
            parts.append(_only(node, begin, given.shape[axis]))
            continue
        first = None if options.beginMask >> axis & 1 else begin
        last = None if options.endMask >> axis & 1 else end
        parts.append(slice(first, last, step))
    return _one(node, given, view(given.shape)[(*parts, ...)])


def _only(node: Node, at: int, length: int) -> int:
    if not -length <= at < length:
        raise node.refused(f"takes place {at} of {length}")
    return at


def transpose(node: Node) -> Step:
    """TRANSPOSE by a constant order of the axes."""
    given, order = node.input(0), whole_numbers(node, 1)
    if sorted(order) != list(range(len(given.shape))):
        raise node.refused(f"has the order {order} of {len(given.shape)} axes")
    return _one(node, given, view(given.shape).transpose(order))


def _one(node: Node, given: Tensor, taken: Array) -> Step:
    return copies(node, [Copy(given, taken, node.output, view(node.output.shape))])
