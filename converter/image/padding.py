"""PAD and PADV2, which fill, and MIRROR_PAD, which copies backwards.

Sources: tensorflow/lite/micro/kernels/pad_common.cc, mirror_pad.cc.
"""

from __future__ import annotations

from itertools import product
from typing import Final, NamedTuple

from converter.image.copies import Copy, copies
from converter.image.graph import Node
from converter.image.operands import whole_numbers
from converter.image.step import Step
from converter.image.view import view

_REFLECT: Final = 0
"""``MirrorPadMode``: the edge is not repeated."""


class _Stretch(NamedTuple):
    """Of one axis."""

    taken: slice
    given: slice


def pad(node: Node) -> Step:
    """With real zeros, or with a constant of the same scale as the rest."""
    given, made = node.input(0), node.output
    if given.zero != made.zero or given.scale != made.scale:
        raise node.refused("has an output of another scale")
    fill = made.zero
    if node.name == "PADV2":
        value = node.input(2)
        if value.dtype != "INT8" or value.zero != made.zero or value.scale != made.scale:
            raise node.refused("has a value of another scale")
        fill = int(node.constant(2).reshape(-1)[0])
    inner = tuple(
        slice(before, before + length) for length, (before, _) in zip(given.shape, _around(node), strict=True)
    )
    return copies(node, [Copy(given, view(given.shape), made, view(made.shape)[inner])], fill)


def mirror_pad(node: Node) -> Step:
    """Every part of the output: before, within and behind the input along each axis."""
    given, made = node.input(0), node.output
    edge = 1 if node.options.mode == _REFLECT else 0
    stretches = []
    for length, (before, after) in zip(given.shape, _around(node), strict=True):
        if max(before, after) > length - edge:
            raise node.refused(f"mirrors {max(before, after)} of {length}")
        stretches.append(_stretches(length, before, after, edge))
    whole, target = view(given.shape), view(made.shape)
    moves = [
        Copy(given, whole[tuple(one.taken for one in parts)], made, target[tuple(one.given for one in parts)])
        for parts in product(*stretches)
    ]
    return copies(node, moves)


def _stretches(length: int, before: int, after: int, edge: int) -> list[_Stretch]:
    found = [_Stretch(slice(0, length), slice(before, before + length))]
    if before:
        found.append(_Stretch(slice(edge, edge + before), slice(before - 1, None, -1)))
    if after:
        end, stop = length - edge, before + length
        found.append(_Stretch(slice(end - after, end), slice(stop + after - 1, stop - 1, -1)))
    return found


def _around(node: Node) -> list[tuple[int, int]]:
    """Values before and behind, by axis."""
    given, made = node.input(0).shape, node.output.shape
    flat = whole_numbers(node, 1)
    pairs = list(zip(flat[::2], flat[1::2], strict=False))
    lengths = tuple(length + sum(pair) for length, pair in zip(given, pairs, strict=False))
    if len(flat) != 2 * len(given) or min(flat, default=0) < 0 or lengths != made:
        raise node.refused(f"pads {given} by {flat} to {made}")
    return pairs
