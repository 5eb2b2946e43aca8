"""Digits from a foreign Keras file to a bundle: the gate, noise by layer, fine-tuning, pruning, clusters."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from converter import calibration_index
from converter.bundle import entries, read_bundle, write_bundle
from converter.conversion import Converted, convert
from converter.evidence import FILE
from converter.recipe import Recipe
from converter.verification import verify_bundle
from runtimes import open_model
from tests.converter import digits
from tinyfleet.keyfile import expiry, read_key, read_root
from wire import preprocess
from wire.errors import InputError, RefusedError, TrustError
from wire.manifest import MODEL_FILE, digest_of
from wire.states import NumericsFamily

TFLM = NumericsFamily.TFLM


@pytest.fixture(scope="module")
def unbalanced(tmp_path_factory) -> digits.Digits:
    return digits.make(tmp_path_factory.mktemp("unbalanced"), imbalance=1.5)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> digits.Digits:
    return digits.make(tmp_path_factory.mktemp("digits"))


@pytest.fixture
def make(tmp_path: Path, trust_dir: Path):
    def run(files: digits.Digits, out: str = "out", **options) -> Converted:
        return convert(
            files.model,
            tmp_path / out,
            signer=read_key(trust_dir / "release.key"),
            expires=expiry(30),
            calibration=files.calibration,
            evaluation=files.evaluation,
            target_names=["cortex-m4"],
            **options,
        )

    return run


def test_end_to_end_a_foreign_keras_model_in_one_command(sound, trust_dir: Path, tmp_path: Path):
    command = [
        *(sys.executable, "-m", "tinyfleet", "convert", sound.model, "--out", tmp_path / "b", "--json"),
        *("--calibration", sound.calibration, "--eval", sound.evaluation, "--key", trust_dir / "release.key"),
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, check=True, timeout=120)
    report = json.loads(done.stdout)["report"]
    bundle = read_bundle(tmp_path / "b")
    with np.load(sound.evaluation) as raw:
        x, y = raw["x"], raw["y"]
    floats = np.load(sound.answers) == y
    inputs = preprocess.quantise(bundle.manifest.input, x)
    assert set(report["gate"]["families"]) == set(NumericsFamily)
    for family in NumericsFamily:
        interpreter = open_model(family, bundle.files[MODEL_FILE])
        int8 = np.array([interpreter.run(window).argmax() for window in inputs]) == y
        said = report["gate"]["families"][family]
        assert said["lost"] == int((floats & ~int8).sum())
        assert said["gained"] == int((~floats & int8).sum())
        assert said["float32"] == pytest.approx(floats.mean(), abs=1e-6)
        assert said["int8"] == pytest.approx(int8.mean(), abs=1e-6)
    verified = verify_bundle(
        bundle, read_root(trust_dir / "image-root.json"), expiry(0), evaluation=sound.evaluation
    )
    assert msgspec.to_builtins(verified.gate) == report["gate"] == bundle.manifest.lineage["gate"]


def test_ptq_hurts_is_refused_and_fine_tuning_recovers(make, unbalanced, tmp_path: Path):
    with pytest.raises(RefusedError, match="of the float top1, more than"):
        make(unbalanced)
    recipe = Recipe(qat_epochs=10)
    made = make(unbalanced, recipe=recipe, training=unbalanced.training, max_drop=0.12)
    shipped, ptq = made.report.variants
    assert (shipped.name, ptq.name) == ("shipped", "ptq")
    before, after = ptq.families[TFLM], shipped.families[TFLM]
    # The reference stays the original float model.
    assert before.float32 == after.float32
    assert after.float32 == pytest.approx(made.report.accuracy["float32"], abs=1e-6)
    assert before.drop > 0.25
    assert after.int8 - before.int8 > 0.2
    again = make(unbalanced, "again", recipe=recipe, training=unbalanced.training, max_drop=0.12)
    assert again.digest == made.digest
    lineage = read_bundle(tmp_path / "out").manifest.lineage
    assert lineage["recipe"]["qat_epochs"] == 10
    assert lineage["training"]["sha256"] == digest_of(unbalanced.training.read_bytes())


def test_noise_by_layer_shows_where_accuracy_goes(make, sound, unbalanced):
    good = {layer.op: layer.sqnr_db for layer in make(sound).report.layers}
    bad = make(unbalanced, "bad", max_drop=1.0).report.layers
    assert {layer.op for layer in bad} == {
        *("CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX")
    }
    assert [layer.sqnr_db for layer in bad] == sorted(layer.sqnr_db for layer in bad)
    of_bad = {layer.op: layer.sqnr_db for layer in bad}
    # The depthwise kernel after the badly scaled tensor brings the lost channels to light.
    assert of_bad["DEPTHWISE_CONV_2D"] < good["DEPTHWISE_CONV_2D"] - 10


def test_pruned_and_clustered_files_compress_better(make, sound):
    made = make(sound, recipe=Recipe(prune=0.5, clusters=8), max_drop=1.0)
    shipped, ptq = made.report.variants
    assert shipped.deflate_bytes < ptq.deflate_bytes
    assert shipped.families[TFLM].n == ptq.families[TFLM].n == 597


def test_calibration_is_recorded_by_index(make, sound, tmp_path: Path):
    make(sound)
    bundle = read_bundle(tmp_path / "out")
    said = bundle.manifest.lineage["calibration"]
    with np.load(sound.calibration) as raw:
        expected = digest_of(raw["index"].astype("<i8").tobytes())
        assert (calibration_index.unpack(bundle.files[calibration_index.FILE]) == raw["index"]).all()
    assert said["index_of"] == "data set"
    assert (said["used"], said["n"], said["index_sha256"]) == (200, 200, expected)


def test_false_evidence_is_found(make, sound, trust_dir: Path, tmp_path: Path):
    make(sound)
    bundle = read_bundle(tmp_path / "out")
    assert not next(e for e in bundle.manifest.files if e.path == FILE).device
    gate = bundle.manifest.lineage["gate"]
    family = next(iter(gate["families"]))
    worse = {**gate["families"][family], "lost": 0, "drop": 0.0}
    lineage = {**bundle.manifest.lineage, "gate": {**gate, "families": {family: worse}, "max_drop": 0.5}}
    # Without its report, which says otherwise: that alone would be found without any samples.
    files = {path: data for path, data in bundle.files.items() if path != "report.json"}
    manifest = msgspec.structs.replace(bundle.manifest, lineage=lineage, files=entries(files))
    key = read_key(trust_dir / "release.key")
    write_bundle(tmp_path / "false", manifest, files, key, expiry(30))
    root = read_root(trust_dir / "image-root.json")
    with pytest.raises(TrustError, match="evidence is not what the manifest says"):
        verify_bundle(read_bundle(tmp_path / "false"), root, expiry(0), sound.evaluation)


def test_an_unsupported_layer_is_refused_by_name(make, sound):
    odd = sound._replace(model=sound.odd)
    with pytest.raises(RefusedError, match="layer wide is a Conv2DTranspose"):
        make(odd, recipe=Recipe(qat_epochs=1), training=sound.training)


def test_recipes_are_for_keras_models(make, bundle_dir: Path, sound):
    tflite = sound._replace(model=bundle_dir / "model.tflite")
    with pytest.raises(InputError, match="stay as they are"):
        make(tflite, recipe=Recipe(prune=0.5))
    with pytest.raises(InputError, match="needs labelled samples"):
        make(sound, recipe=Recipe(qat_epochs=1))
