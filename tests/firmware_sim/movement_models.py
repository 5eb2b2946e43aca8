"""One model each for the operators that move values, in any form that TFLM has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.firmware_sim.operand_models import Made, Shape, scale_of, shape_of, zero_of
from tests.models.network import Wire


def concatenation(dice: Random) -> bytes:
    """A part may be a constant, or there twice."""
    shape = shape_of(dice)
    axis = dice.randint(0, len(shape) - 1)
    shapes = [(*shape[:axis], dice.randint(1, 5), *shape[axis + 1 :]) for _ in range(dice.randint(1, 4))]
    made = _made(dice, shapes)
    parts: list[int | Wire] = list(made.operands)
    if dice.random() < 0.3:
        parts[dice.randint(0, len(parts) - 1)] = parts[0]
    lengths = [shapes[made.operands.index(part)][axis] for part in parts]
    if dice.random() < 0.3:
        values = np.random.default_rng(dice.randint(0, 999)).integers(-128, 128, shape, np.int8)
        parts.append(made.net.constant(values, [made.operands[0].scale], [made.operands[0].zero]))
        lengths.append(shape[axis])
    options = schema.ConcatenationOptionsT()
    options.axis = dice.choice((axis, axis - len(shape)))
    out = _like(made, (*shape[:axis], sum(lengths), *shape[axis + 1 :]))
    return made.model("CONCATENATION", parts, out, options)


def pack(dice: Random) -> bytes:
    """Tensors of one shape on a new axis."""
    shape = shape_of(dice, (1, 3))
    count, axis = dice.randint(1, 4), dice.randint(0, len(shape))
    made = _made(dice, [shape] * count)
    options = schema.PackOptionsT()
    options.valuesCount, options.axis = count, dice.choice((axis, axis - len(shape) - 1))
    out = _like(made, (*shape[:axis], count, *shape[axis:]))
    return made.model("PACK", list(made.operands), out, options)


def unpack(dice: Random) -> bytes:
    """All parts are joined again, in another order."""
    shape = shape_of(dice, (2, 4))
    axis = dice.randint(0, len(shape) - 1)
    made = _made(dice, [shape])
    parts = [_like(made, (*shape[:axis], *shape[axis + 1 :])) for _ in range(shape[axis])]
    options = schema.UnpackOptionsT()
    options.num, options.axis = shape[axis], dice.choice((axis, axis - len(shape)))
    made.net.operator("UNPACK", [made.operands[0]], parts, options, version=2)
    return _joined(dice, made, parts, 0)


def split(dice: Random) -> bytes:
    """Into equal parts."""
    shape = shape_of(dice)
    axis, count = dice.randint(0, len(shape) - 1), dice.randint(1, 4)
    made = _made(dice, [(*shape[:axis], shape[axis] * count, *shape[axis + 1 :])])
    parts = [_like(made, shape) for _ in range(count)]
    options = schema.SplitOptionsT()
    options.numSplits = count
    at = made.net.constant(np.array([dice.choice((axis, axis - len(shape)))], np.int32))
    made.net.operator("SPLIT", [at, made.operands[0]], parts, options, version=2)
    return _joined(dice, made, parts, axis)


def split_v(dice: Random) -> bytes:
    """Into parts of several lengths."""
    shape = shape_of(dice)
    axis, lengths = dice.randint(0, len(shape) - 1), [dice.randint(1, 4) for _ in range(dice.randint(1, 4))]
    made = _made(dice, [(*shape[:axis], sum(lengths), *shape[axis + 1 :])])
    parts = [_like(made, (*shape[:axis], length, *shape[axis + 1 :])) for length in lengths]
    options = schema.SplitVOptionsT()
    options.numSplits = len(lengths)
    operands = [made.operands[0], *_constants(made, lengths, [axis])]
    made.net.operator("SPLIT_V", operands, parts, options, version=2)
    return _joined(dice, made, parts, axis)


def slice_of(dice: Random) -> bytes:
    """Any part; a size may be given as -1."""
    shape = shape_of(dice)
    made = _made(dice, [shape])
    begins = [dice.randint(0, length - 1) for length in shape]
    sizes = [dice.randint(1, length - begin) for length, begin in zip(shape, begins, strict=True)]
    told = [
        -1 if begin + size == length and dice.random() < 0.5 else size
        for length, begin, size in zip(shape, begins, sizes, strict=True)
    ]
    operands = [made.operands[0], *_constants(made, begins, told)]
    return made.model("SLICE", operands, _like(made, tuple(sizes)), schema.SliceOptionsT())


def strided_slice(dice: Random) -> bytes:
    """Any begin, end and step, also backwards and out of range, with masks."""
    shape = shape_of(dice)
    made = _made(dice, [shape])
    options = schema.StridedSliceOptionsT()
    bounds, out = [], []
    for axis, length in enumerate(shape):
        begin, end, step = _bounds(dice, length)
        open_begin, open_end, shrinks = (dice.random() < 0.2 for _ in range(3))
        kept = range(length)[None if open_begin else begin : None if open_end else end : step]
        if shrinks:
            begin, step = dice.randint(-length, length - 1), 1
        elif kept:
            options.beginMask |= open_begin << axis
            options.endMask |= open_end << axis
            out.append(len(kept))
        else:
            begin, end, step = 0, length, 1
            out.append(length)
        options.shrinkAxisMask |= shrinks << axis
        bounds.append((begin, end, step))
    operands = [made.operands[0], *_constants(made, *zip(*bounds, strict=True))]
    return made.model("STRIDED_SLICE", operands, _like(made, tuple(out)), options)


def _bounds(dice: Random, length: int) -> tuple[int, int, int]:
    begin, end = (dice.randint(-length - 2, length + 2) for _ in range(2))
    return begin, end, dice.choice((1, 1, 2, 3, -1, -2))


def transpose(dice: Random) -> bytes:
    """By any order of up to five axes."""
    shape = shape_of(dice, (1, 5))
    order = dice.sample(range(len(shape)), len(shape))
    made = _made(dice, [shape])
    operands = [made.operands[0], *_constants(made, order)]
    out = _like(made, tuple(shape[axis] for axis in order))
    return made.model("TRANSPOSE", operands, out, schema.TransposeOptionsT())


def pad(dice: Random) -> bytes:
    """With zeros, by any amount before and behind."""
    made, around, out = _around(dice, 3)
    return made.model("PAD", [made.operands[0], around], out, schema.PadOptionsT())


def padv2(dice: Random) -> bytes:
    """With any value."""
    made, around, out = _around(dice, 3)
    value = made.net.constant(np.array([dice.randint(-128, 127)], np.int8), [out.scale], [out.zero])
    return made.model("PADV2", [made.operands[0], around, value], out, schema.PadV2OptionsT())


def mirror_pad(dice: Random) -> bytes:
    """Both modes."""
    options = schema.MirrorPadOptionsT()
    options.mode = dice.choice((schema.MirrorPadMode.REFLECT, schema.MirrorPadMode.SYMMETRIC))
    made, around, out = _around(dice, None, 0 if options.mode else 1)
    return made.model("MIRROR_PAD", [made.operands[0], around], out, options, version=1)


def resize_nearest(dice: Random) -> bytes:
    """To any size, by any rule."""
    shape = (1, dice.randint(1, 9), dice.randint(1, 9), dice.randint(1, 5))
    sides = [dice.randint(1, 20), dice.randint(1, 20)]
    options = schema.ResizeNearestNeighborOptionsT()
    options.alignCorners, options.halfPixelCenters = dice.choice(
        ((False, False), (True, False), (False, True))
    )
    made = _made(dice, [shape])
    out = _like(made, (1, *sides, shape[3]))
    operands = [made.operands[0], *_constants(made, sides)]
    return made.model("RESIZE_NEAREST_NEIGHBOR", operands, out, options)


MODELS: dict[str, Callable[[Random], bytes]] = {
    "CONCATENATION": concatenation,
    "PACK": pack,
    "UNPACK": unpack,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SLICE": slice_of,
    "STRIDED_SLICE": strided_slice,
    "TRANSPOSE": transpose,
    "PAD": pad,
    "PADV2": padv2,
    "MIRROR_PAD": mirror_pad,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest,
}


def _made(dice: Random, shapes: list[Shape]) -> Made:
    scale, zero = scale_of(dice), zero_of(dice)
    return Made(shapes, [scale] * len(shapes), [zero] * len(shapes))


def _like(made: Made, shape: Shape) -> Wire:
    return made.wire(shape, made.operands[0].scale, made.operands[0].zero)


def _constants(made: Made, *values: Sequence[int]) -> list[int]:
    return [made.net.constant(np.array(one, np.int32)) for one in values]


def _joined(dice: Random, made: Made, parts: list[Wire], axis: int) -> bytes:
    shuffled = dice.sample(parts, len(parts))
    shape = parts[0].shape
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    length = sum(part.shape[axis] for part in parts)
    out = _like(made, (*shape[:axis], length, *shape[axis + 1 :]))
    return made.model("CONCATENATION", shuffled, out, options)


def _around(dice: Random, most: int | None, edge: int = 0) -> tuple[Made, int, Wire]:
    """Operand, paddings, and output; ``most`` of None: as far as mirroring goes."""
    shape = shape_of(dice)
    pairs = [
        tuple(dice.randint(0, length - edge if most is None else most) for _ in range(2)) for length in shape
    ]
    made = _made(dice, [shape])
    out = _like(made, tuple(length + sum(pair) for length, pair in zip(shape, pairs, strict=True)))
    return made, made.net.constant(np.array(pairs, np.int32)), out
