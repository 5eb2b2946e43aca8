"""The smallest arena is really the smallest, and TFLM's own figure is not trusted for it."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from converter.arena import STEP_BYTES, runs_in_fork, smallest
from converter.bundle import read_bundle
from converter.execution import execute
from runtimes.tflm import TflmInterpreter
from wire.manifest import MODEL_FILE
from wire.states import NumericsFamily


@given(st.integers(1, 200_000), st.integers(0, 200_000))
def test_the_bisection_is_exact_whatever_is_reported(needed: int, reported: int):
    found = smallest(lambda size: size >= needed, reported)
    assert found >= needed > found - STEP_BYTES


def test_a_model_that_runs_in_no_arena_ends_the_search():
    with pytest.raises(ValueError, match="no arena"):
        smallest(lambda size: False, 4096)


def test_the_manifest_promises_the_smallest_arena(bundle_dir: Path):
    bundle = read_bundle(bundle_dir)
    ram_bytes = bundle.manifest.targets["cortex-m0plus"].ram_bytes
    model = bundle.files[MODEL_FILE]
    window = np.load(bundle_dir / "golden/inputs.npy")[0]
    expected = np.load(bundle_dir / "golden/tflm.npy")[0]
    assert (TflmInterpreter(model, ram_bytes).run(window) == expected).all()
    assert not runs_in_fork(model, window, expected, ram_bytes - STEP_BYTES)


def test_kws_needs_what_is_published_and_one_step_less_fails(shared_models: Path):
    model = (shared_models / "kws/kws_ref_model.tflite").read_bytes()
    inputs = np.zeros((1, 49, 10, 1), np.int8)
    outputs, arena = execute(NumericsFamily.TFLM, model, inputs, measure_arena=True)
    assert arena is not None
    assert (arena.head, arena.tail, arena.total, arena.confirmed_min) == (16_000, 8_272, 24_272, 24_272)
    assert runs_in_fork(model, inputs[0], outputs[0], 24_272)
    assert not runs_in_fork(model, inputs[0], outputs[0], 24_272 - STEP_BYTES)
