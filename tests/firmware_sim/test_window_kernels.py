"""Convolutions, dense layers, pools, softmax: tflite-micro's bytes on every core, odd forms included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converter.image.compiler import compile_image
from tests.firmware_sim.bench import assert_same
from tests.firmware_sim.layers import SAME, Chain
from tests.firmware_sim.model_builder import ModelBuilder

INPUTS = 3
LAYERS = ("conv", "depthwise", "depthwise", "AVERAGE_POOL_2D", "MAX_POOL_2D")
images = st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 9), st.integers(1, 13))


@given(st.data())
def test_conv(oracle, data):
    chain = Chain(data.draw, data.draw(images))
    chain.conv()
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)


@given(st.data(), st.integers(1, 4))
def test_grouped_conv(oracle, data, groups):
    one, height, width, depth = data.draw(images)
    chain = Chain(data.draw, (one, height, width, depth * groups))
    chain.conv(groups)
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)


@given(st.data())
def test_depthwise(oracle, data):
    chain = Chain(data.draw, data.draw(images))
    chain.depthwise()
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)


@given(st.data(), st.integers(2, 5))
def test_depthwise_with_several_outputs_a_channel(oracle, data, multiplier):
    one, height, width, depth = data.draw(images)
    chain = Chain(data.draw, (one, height, width, data.draw(st.sampled_from((1, depth)))))
    chain.depthwise(multiplier)
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)


@given(st.data(), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 70))
def test_dense(oracle, data, rows, inputs):
    chain = Chain(data.draw, (*rows, inputs))
    chain.dense()
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)


@pytest.mark.parametrize("name", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
@given(st.data())
def test_pool(oracle, name, data):
    chain = Chain(data.draw, data.draw(images))
    chain.pool(name)
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)


@given(st.data(), st.lists(st.integers(1, 7), min_size=1, max_size=4), st.floats(1e-4, 2.0))
def test_softmax(oracle, data, shape, scale):
    chain = Chain(data.draw, tuple(shape))
    chain.builder.tensors[chain.given.index].quantization.scale = [scale]
    chain.softmax()
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)


@given(st.data())
def test_chains_with_outputs_over_inputs(oracle, data):
    chain = Chain(data.draw, data.draw(images))
    for _ in range(data.draw(st.integers(2, 6))):
        layer = data.draw(st.sampled_from(LAYERS))
        if layer == "conv":
            chain.conv()
        elif layer == "depthwise":
            chain.depthwise(data.draw(st.integers(1, 2)) if chain.last.shape[3] <= 16 else 1)
        else:
            chain.pool(layer)
    if data.draw(st.booleans()):
        chain.dense()
        chain.softmax()
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)


def test_outputs_do_lie_over_inputs(oracle):
    random = np.random.default_rng(4)
    builder = ModelBuilder()
    places = [builder.tensor((1, 5, 5, 8), 0.05, 3)]
    spatial = {"padding": SAME, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    for name, options, shape in (
        ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", (1, 3, 3, 8)),
        ("CONV_2D", "Conv2DOptions", (6, 1, 1, 8)),
        ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", (1, 5, 5, 6)),
    ):
        weights = builder.constant(random.integers(-127, 128, shape, np.int8), 0.005)
        depth = shape[0] if name == "CONV_2D" else shape[3]
        places.append(builder.tensor((1, 5, 5, depth), 0.05, -7))
        extra = {"depthMultiplier": 1} if name == "DEPTHWISE_CONV_2D" else {}
        builder.op(name, [places[-2], weights], [places[-1]], options, **spatial, **extra)
    made = builder.tensor((1, 5, 5, 6), 1 / 256, -128)
    builder.op("SOFTMAX", [places[-1]], [made], "SoftmaxOptions", beta=1.0)
    model = builder.finish(places[0], made)
    assert compile_image(model).arena.shared == 4
    assert_same(model, [random.integers(-128, 128, (1, 5, 5, 8), np.int8) for _ in range(5)], oracle)
