"""SVDF and LSTM keep state between inferences and give tflite-micro's bytes on every core."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converter.image.compiler import compile_image
from tests.firmware_sim import stateful
from tests.firmware_sim.bench import CORES, assert_same, invoke, machine, run
from tests.firmware_sim.model_builder import ModelBuilder

spreads = st.sampled_from((0.1, 1.0, 4.0))
seeds = st.integers(0, 2**32 - 1)


def stream(random, shape, count=5):
    return [random.integers(-128, 128, shape, np.int8) for _ in range(count)]


@given(
    seeds,
    st.integers(1, 2),
    st.integers(1, 21),
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 9),
    spreads,
)
def test_svdf_with_int16_state(oracle, seed, batch, inputs, units, rank, memory, spread):
    random = np.random.default_rng(seed)
    model = stateful.svdf(
        random, batch=batch, inputs=inputs, units=units, rank=rank, memory=memory, spread=spread
    )
    assert_same(model, stream(random, (batch, inputs)), oracle)


@given(seeds, st.integers(1, 21), st.integers(1, 6), st.integers(1, 3), st.integers(1, 9), spreads)
def test_svdf_with_int8_state(oracle, seed, inputs, units, rank, memory, spread):
    random = np.random.default_rng(seed)
    model = stateful.svdf(
        random, batch=1, inputs=inputs, units=units, rank=rank, memory=memory, state="int8",
        spread=spread,
    )  # fmt: skip
    assert_same(model, stream(random, (1, inputs)), oracle)


@given(
    seeds, st.integers(1, 3), st.integers(1, 4), st.integers(1, 13), st.integers(1, 13), st.booleans(),
    st.sampled_from((-15, -12, -11, -9)), st.sampled_from((0.0, 0.5, 3.0)), spreads,
)  # fmt: skip
def test_lstm(oracle, seed, batch, steps, inputs, units, time_major, cell_power, clip, spread):
    random = np.random.default_rng(seed)
    model = stateful.lstm(
        random, batch=batch, steps=steps, inputs=inputs, units=units, time_major=time_major,
        cell_power=cell_power, clip=clip, spread=spread,
    )  # fmt: skip
    shape = (steps, batch, inputs) if time_major else (batch, steps, inputs)
    assert_same(model, stream(random, shape, 3), oracle)


@pytest.mark.parametrize("core", CORES)
def test_a_reset_begins_a_new_stream(core):
    random = np.random.default_rng(3)
    image = compile_image(stateful.lstm(random, batch=1, steps=2, inputs=5, units=4))
    inputs = stream(random, (1, 2, 5), 3)
    first = run(core, image, inputs)
    it = machine(core)
    going_on = invoke(it, image, inputs)
    it.reset_state()
    assert going_on != first
    assert invoke(it, image, inputs) == first


def test_state_lies_at_the_beginning_of_the_arena():
    random = np.random.default_rng(3)
    image = compile_image(stateful.svdf(random, batch=1, inputs=5, units=4, rank=2, memory=3))
    assert image.header.state_bytes == 4 * 2 * 3 * 2
    assert image.header.input_at >= image.header.state_bytes
    assert image.header.output_at >= image.header.state_bytes


@given(seeds, st.floats(1e-6, 10.0), st.integers(-128, 127))
def test_dequantize(oracle, seed, scale, zero):
    builder = ModelBuilder()
    one = builder.tensor((2, 11), scale, zero)
    other = builder.tensor((2, 11), None, dtype="float32")
    builder.op("DEQUANTIZE", [one], [other], "DequantizeOptions")
    assert_same(builder.finish(one, other), stream(np.random.default_rng(seed), (2, 11), 8), oracle)
