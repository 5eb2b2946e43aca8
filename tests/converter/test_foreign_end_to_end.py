"""Models from elsewhere to a signed and verified bundle, in the words that a person types."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from converter import calibration_index
from converter.bundle import Bundle, read_bundle
from runtimes import open_model
from wire import preprocess
from wire.manifest import MODEL_FILE
from wire.states import NumericsFamily

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tinyfleet(tmp_path: Path):
    """``tinyfleet(*args)`` in a process, with a configuration folder of its own and nothing else."""

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tinyfleet", *map(str, args)],
            cwd=tmp_path,
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config"), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def rest_of(file: Path, bundle: Bundle) -> tuple[Any, Any]:
    """What the bundle was not calibrated by, of the evaluation file; computed here."""
    with np.load(file) as raw:
        left = np.ones(len(raw["x"]), bool)
        left[calibration_index.unpack(bundle.files[calibration_index.FILE])] = False
        return raw["x"][left], raw["y"][left]


def floats_of(file: Path, x: Any) -> Any:
    """What the float file itself answers."""
    interpreter = Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    answers = []
    for window in x:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window[np.newaxis])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.stack(answers)


def answers_of(bundle: Bundle, family: NumericsFamily, x: Any) -> Any:
    """What the shipped file answers, in real units."""
    manifest = bundle.manifest
    interpreter = open_model(family, bundle.files[MODEL_FILE], 1_000_000)
    inputs = preprocess.quantise(manifest.input, x)
    whole = np.stack([interpreter.run(window) for window in inputs]).astype(float)
    return (whole - manifest.output.zero_point) * manifest.output.scale


@pytest.mark.parametrize("name", ["open", "half"])
def test_end_to_end_a_float_tflite_with_nothing_but_evaluation_samples(
    tinyfleet, foreign_dir: Path, tmp_path: Path, name: str
):
    file, samples = foreign_dir / f"{name}.tflite", foreign_dir / "images.npz"
    done = tinyfleet("convert", file, "--out", "b", "--eval", samples, "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    bundle = read_bundle(tmp_path / "b")
    x, y = rest_of(samples, bundle)
    floats = floats_of(file, x).argmax(axis=1)
    assert len(x) == 597 - 119
    assert set(data["report"]["gate"]["families"]) == set(NumericsFamily)
    for family in NumericsFamily:
        int8 = answers_of(bundle, family, x).argmax(axis=1)
        said = data["report"]["gate"]["families"][family]
        assert said["n"] == len(x)
        assert said["float32"] == pytest.approx((floats == y).mean(), abs=1e-6)
        assert said["int8"] == pytest.approx((int8 == y).mean(), abs=1e-6)
        assert said["lost"] == int(((floats == y) & (int8 != y)).sum())
    # The open batch is closed: no shape is computed on a device, and no float16 unpacked.
    assert data["report"]["ops"] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    noise = {layer["op"]: layer["sqnr_db"] for layer in data["report"]["layers"]}
    assert set(noise) == {"CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"}
    assert min(noise.values()) > 15
    checked = json.loads(tinyfleet("bundle", "verify", "b", "--eval", samples, "--json").stdout)
    assert checked["gate"] == data["report"]["gate"]
    assert checked["same_samples"] is True


def test_end_to_end_a_keras_file_is_signed_by_a_key_of_the_users_own(tinyfleet, foreign_dir: Path, tmp_path):
    first = tinyfleet(
        *("convert", foreign_dir / "images.keras", "--eval", foreign_dir / "images.npz", "--out", "first"),
        *("--target", "cortex-m4", "--json"),
    )
    assert first.returncode == 0, first.stderr
    signed_by = json.loads(first.stdout)["signed_by"]
    assert first.stderr.count("\n") == 1
    assert f"signed by {signed_by}" in first.stderr
    key = tmp_path / "config/tinyfleet/trust/release.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert not any(line in first.stdout + first.stderr for line in key.read_text().splitlines()[1:-1])
    again = tinyfleet("convert", "first/model.tflite", "--out", "again", "--target", "cortex-m4", "--json")
    assert json.loads(again.stdout)["signed_by"] == signed_by
    assert tinyfleet("bundle", "verify", "again").returncode == 0


def test_end_to_end_a_saved_model_by_macro_f1(tinyfleet, foreign_dir: Path, tmp_path: Path):
    samples = foreign_dir / "images.npz"
    done = tinyfleet(
        *("convert", foreign_dir / "saved", "--out", "b", "--eval", samples, "--json"),
        *("--metric", "f1", "--target", "cortex-m4"),
    )
    assert done.returncode == 0, done.stderr
    gate = json.loads(done.stdout)["report"]["gate"]
    bundle = read_bundle(tmp_path / "b")
    x, y = rest_of(samples, bundle)
    answers = answers_of(bundle, NumericsFamily.TFLM, x).argmax(axis=1)
    f1 = [2 * ((answers == k) & (y == k)).sum() / ((answers == k).sum() + (y == k).sum()) for k in range(10)]
    assert gate["metric"] == "f1"
    assert gate["families"]["tflm"]["int8"] == pytest.approx(np.mean(f1), abs=1e-6)
    assert tinyfleet("bundle", "verify", "b", "--eval", samples).returncode == 0


def test_an_autoencoder_passes_or_not_by_its_auc(tinyfleet, foreign_dir: Path, tmp_path: Path):
    samples = foreign_dir / "detector.npz"
    command = ("convert", foreign_dir / "detector.keras", "--eval", samples, "--metric", "auc", "--json")
    # By the interval, a limit of 0 asks for a gain that is beyond doubt.
    refused = tinyfleet(*command, "--out", "b", "--gate", "interval", "--max-drop", "0.0")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "of the float auc" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "b").exists()
    passed = tinyfleet(*command, "--out", "b", "--gate", "interval", "--max-drop", "0.05")
    assert passed.returncode == 0, passed.stderr
    bundle = read_bundle(tmp_path / "b")
    x, y = rest_of(samples, bundle)
    errors = np.square(answers_of(bundle, NumericsFamily.TFLM, x) - x).mean(axis=1)
    of_pairs = (errors[y == 1][:, None] > errors[y == 0][None, :]).mean()
    said = json.loads(passed.stdout)["report"]["gate"]["families"]["tflm"]
    assert said["int8"] == pytest.approx(of_pairs, abs=1e-3)
    assert said["float32"] > 0.8
    assert tinyfleet("bundle", "verify", "b", "--eval", samples).returncode == 0


def test_end_to_end_weights_outside_the_flatbuffer(tinyfleet, shared_models: Path, tmp_path: Path):
    file = shared_models / "regress/resnet_large_aeq_external_buffers.tflite"
    done = tinyfleet("convert", file, "--out", "b", "--target", "cortex-m7", "--json")
    assert done.returncode == 0, done.stderr
    assert read_bundle(tmp_path / "b").manifest.lineage["repaired"] == ["external_buffers"]
    # 122,880 bytes of head and no 586,880: TFLM sees the weights.
    assert json.loads(done.stdout)["report"]["arena"]["head"] == 122_880
    assert tinyfleet("bundle", "verify", "b").returncode == 0


def test_a_published_float_resnet_becomes_int8(tinyfleet, shared_models: Path, tmp_path: Path):
    file = shared_models / "ic/pretrainedResnet.tflite"
    dice = np.random.default_rng(1)
    patches = np.kron(dice.uniform(0, 255, (60, 4, 4, 3)), np.ones((1, 8, 8, 1)))
    x = np.clip(patches + dice.normal(0, 20, patches.shape), 0, 255).astype(np.float32)
    y = floats_of(file, x).argmax(axis=1)
    np.savez(tmp_path / "e.npz", x=x, y=y)
    done = tinyfleet("convert", file, "--out", "b", "--eval", "e.npz", "--max-drop", "0.2", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["report"]
    assert report["accuracy"]["float32"] == 1.0
    assert report["accuracy"]["tflm"] > 0.8
    assert report["bytes"] < file.stat().st_size / 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hybrid", "hybrid"),
        ("loop", "subgraphs"),
        ("four", "shape [4, 8, 8, 1]"),
        ("elu", "float is for ELU"),
    ],
)
def test_a_float_file_that_cannot_be_int8_is_one_line(tinyfleet, foreign_dir: Path, name: str, words: str):
    done = tinyfleet(
        "convert", foreign_dir / f"{name}.tflite", "--out", "b", "--eval", foreign_dir / "images.npz"
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_float_file_without_samples_is_refused_with_what_to_give(tinyfleet, foreign_dir: Path):
    done = tinyfleet("convert", foreign_dir / "open.tflite", "--out", "b")
    assert done.returncode == 4
    assert "float32" in done.stderr
    assert "--calibration or --eval" in done.stderr
