"""Both interpreters behind one protocol, on the trained model and on MLPerf Tiny's."""

from pathlib import Path

import numpy as np
import pytest

from runtimes import open_model, runtime_version
from runtimes.tflm import Arena, TflmInterpreter
from wire.errors import RefusedError
from wire.states import NumericsFamily

KWS = "kws/kws_ref_model.tflite"
KWS_INPUT = (49, 10, 1)


@pytest.mark.parametrize("family", NumericsFamily)
def test_golden_vectors_are_exact(family: NumericsFamily, bundle_dir: Path):
    interpreter = open_model(family, (bundle_dir / "model.tflite").read_bytes())
    inputs = np.load(bundle_dir / "golden/inputs.npy")
    expected = np.load(bundle_dir / f"golden/{family}.npy")
    assert (np.stack([interpreter.run(window) for window in inputs]) == expected).all()


@pytest.mark.parametrize("family", NumericsFamily)
def test_a_runtime_names_its_version(family: NumericsFamily):
    package, version = runtime_version(family).split()
    assert package in ("tflite-micro", "ai-edge-litert")
    assert version


@pytest.mark.parametrize("family", NumericsFamily)
def test_a_wrong_shape_is_refused(family: NumericsFamily, bundle_dir: Path):
    interpreter = open_model(family, (bundle_dir / "model.tflite").read_bytes())
    with pytest.raises(RefusedError, match="cannot run the model"):
        interpreter.run(np.zeros((3, 3), np.int8))


def test_kws_arena_is_the_published_one(shared_models: Path):
    interpreter = TflmInterpreter((shared_models / KWS).read_bytes())
    interpreter.run(np.zeros(KWS_INPUT, np.int8))
    assert interpreter.arena() == Arena(head=16_000, tail=8_272, total=24_272)


def test_one_step_less_than_the_kws_arena_is_refused_in_words(shared_models: Path):
    model = (shared_models / KWS).read_bytes()
    TflmInterpreter(model, 24_272).run(np.zeros(KWS_INPUT, np.int8))
    with pytest.raises(RefusedError, match="TFLM refuses the model: Failed to allocate"):
        TflmInterpreter(model, 24_256)


def test_tflm_refuses_a_hybrid_model_in_words(shared_models: Path):
    with pytest.raises(RefusedError, match="Hybrid models are not supported"):
        TflmInterpreter((shared_models / "kws/kws_hybrid_refuse_me.tflite").read_bytes())


def test_litert_refuses_bytes_that_are_no_model():
    with pytest.raises(RefusedError, match="LiteRT refuses the model"):
        open_model(NumericsFamily.XNNPACK, b"no model at all" * 10)
