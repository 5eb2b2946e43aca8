"""Convolutions, dense layers, pools, softmax: tflite-micro's bytes on every core, odd forms included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware_sim.bench import assert_same
from tests.firmware_sim.layers import Chain

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
        if layer in ("conv", "depthwise"):
            getattr(chain, layer)()
        else:
            chain.pool(layer)
    if data.draw(st.booleans()):
        chain.dense()
        chain.softmax()
    assert_same(chain.model(), chain.inputs(INPUTS), oracle)
