"""TRANSPOSE_CONV and RESIZE_BILINEAR give tflite-micro's bytes on every core."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.firmware_sim.bench import assert_same
from tests.firmware_sim.layers import SAME, Chain
from wire.errors import RefusedError

INPUTS = 3
sides = st.integers(1, 7)


def output_length(length: int, kernel: int, stride: int, padding: int, more: int) -> int:
    """One of the lengths whose convolution gives ``length``."""
    if padding == SAME:
        return max(1, length * stride - more % stride)
    return (length - 1) * stride + kernel + more % stride


@given(st.data(), sides, sides, st.integers(1, 6), st.integers(1, 6))
def test_transpose_conv(oracle, data, height, width, inputs, outputs):
    chain = Chain(data.draw, (1, height, width, inputs))
    where = chain.windows()
    more = data.draw(st.integers(0, 2))
    size = [
        output_length(n, where[f"kernel_{a}"], where[f"stride{a.upper()}"], where["padding"], more)
        for n, a in ((height, "h"), (width, "w"))
    ]
    shape = (outputs, where["kernel_h"], where["kernel_w"], inputs)
    operands, scale = chain.weights(shape, 0, int(np.prod(shape[1:])))
    made = chain.value((1, *size, outputs), scale)
    given_shape = chain.builder.constant(np.array(made.shape, np.int32))
    fields = {key: where[key] for key in ("strideH", "strideW", "padding")}
    inputs_of = [given_shape, operands[0], chain.given.index, *operands[1:]]
    chain.builder.op("TRANSPOSE_CONV", inputs_of, [made.index], "TransposeConvOptions", **fields)
    chain.last = made
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)


@given(st.data(), sides, sides, st.integers(1, 23), st.integers(1, 23), st.integers(1, 5))
def test_resize_bilinear(oracle, data, height, width, rows, columns, depth):
    chain = Chain(data.draw, (1, height, width, depth))
    zero = chain.builder.tensors[chain.given.index].quantization.zeroPoint[0]
    made = chain.builder.tensor((1, rows, columns, depth), chain.given.scale, zero)
    size = chain.builder.constant(np.array([rows, columns], np.int32))
    corners, half = data.draw(st.sampled_from(((False, False), (True, False), (False, True))))
    chain.builder.op(
        "RESIZE_BILINEAR",
        [chain.given.index, size],
        [made],
        "ResizeBilinearOptions",
        alignCorners=corners,
        halfPixelCenters=half,
    )
    try:
        assert_same(chain.builder.finish(chain.given.index, made), chain.inputs(INPUTS), oracle)
    except RefusedError as error:
        # Tell apart what is known to leave the picture from anything else.
        assume("rows or columns" not in error.message)
        raise
