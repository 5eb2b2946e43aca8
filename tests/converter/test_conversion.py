"""From a source to a bundle: the same each time, honest, and refused when it should be."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from converter.bundle import Bundle, read_bundle
from converter.conversion import Converted, convert
from runtimes import open_model
from tinyfleet.keyfile import expiry, read_key, read_root
from wire import preprocess
from wire.errors import FleetError, InputError, NotFoundError, RefusedError
from wire.manifest import CARD_FILE, IMAGE_FILE, MODEL_FILE, Evaluation, Score
from wire.states import NumericsFamily

BOTH = set(NumericsFamily)


@pytest.fixture
def make(tmp_path: Path, trust_dir: Path):
    """``make(source, **options)`` -> what convert made, in ``tmp_path / "out"``."""

    def run(source: Path, **options) -> Converted:
        key = read_key(trust_dir / "release.key")
        return convert(source, tmp_path / "out", signer=key, expires=expiry(30), **options)

    return run


@pytest.fixture(scope="module")
def bundle(bundle_dir: Path) -> Bundle:
    return read_bundle(bundle_dir)


@pytest.fixture(scope="module")
def standardised(run_folder: Path, bundle: Bundle, tmp_path_factory) -> dict[str, Path]:
    """Sample files for the run's own .keras as a foreign model: the inputs it was trained on."""
    folder = tmp_path_factory.mktemp("samples")
    with np.load(run_folder / "calibration.npz") as raw:
        np.savez(folder / "c.npz", x=preprocess.apply(bundle.manifest.preprocessing, raw["x"][::4]))
    with np.load(run_folder / "eval.npz") as raw:
        x = preprocess.apply(bundle.manifest.preprocessing, raw["x"])
        np.savez(folder / "e.npz", x=x, y=raw["y"], labels=raw["labels"])
    return {"calibration": folder / "c.npz", "evaluation": folder / "e.npz"}


def test_the_same_run_gives_the_same_digest(make, run_folder: Path, bundle: Bundle):
    made = make(run_folder)
    again = read_bundle(Path(made.bundle))
    assert made.digest == again.digest == bundle.digest
    assert again.files == bundle.files


def test_no_time_and_no_path_is_in_the_bundle(bundle: Bundle, run_folder: Path):
    for data in (bundle.manifest_bytes, *bundle.files.values()):
        assert str(run_folder.parent).encode() not in data
        assert b"/tmp/" not in data


@pytest.mark.parametrize("family", NumericsFamily)
def test_scores_equal_a_re_run_of_the_shipped_file(bundle: Bundle, run_folder: Path, family):
    manifest = bundle.manifest
    with np.load(run_folder / "eval.npz") as raw:
        x, y = raw["x"], raw["y"]
    inputs = preprocess.quantise(manifest.input, preprocess.apply(manifest.preprocessing, x))
    interpreter = open_model(family, bundle.files[MODEL_FILE])
    correct = sum(
        int(interpreter.run(window).argmax()) == label for window, label in zip(inputs, y, strict=True)
    )
    assert manifest.evaluation.int8[family] == Score(n=len(y), correct=correct)


def test_float_accuracy_is_the_trainers(bundle: Bundle, run_folder: Path):
    run = msgspec.json.decode((run_folder / "run.json").read_bytes())
    assert bundle.manifest.evaluation.float32.accuracy == run["metrics"]["test_accuracy"]


def test_golden_outputs_differ_among_themselves(bundle_dir: Path):
    inputs = np.load(bundle_dir / "golden/inputs.npy")
    assert inputs.shape == (8, 100, 6)
    for family in NumericsFamily:
        outputs = np.load(bundle_dir / f"golden/{family}.npy")
        assert outputs.shape == (8, 7)
        assert len(np.unique(outputs, axis=0)) >= 4


def test_the_card_says_what_to_know(bundle: Bundle):
    card = bundle.files[CARD_FILE].decode()
    words = ["seglearn", "Must not be used for", "int8, tflm", "int8, xnnpack", "float32", "cortex-m0plus"]
    for word in [*words, *bundle.manifest.labels]:
        assert word in card


def test_lineage_names_every_input(bundle: Bundle):
    lineage = bundle.manifest.lineage
    assert lineage["run"]["seed"] == 7
    assert lineage["run"]["split"]["test"]["groups"] == ["8", "9", "10"]
    assert lineage["run"]["packages"]["tensorflow"] == lineage["converter"]["tensorflow"]
    for part in ("source", "run", "calibration", "evaluation"):
        assert len(lineage[part]["sha256"]) == 64


def test_a_foreign_keras_model_with_samples(make, run_folder: Path, standardised, bundle: Bundle):
    made = make(run_folder / "model.keras", name="mine", version=4, **standardised)
    manifest = read_bundle(Path(made.bundle)).manifest
    assert (manifest.model, manifest.version) == ("mine", 4)
    assert manifest.preprocessing.kind == "none"
    assert manifest.labels == bundle.manifest.labels
    # The same network on the same inputs: only int8 ranges may differ.
    assert manifest.evaluation.float32 == bundle.manifest.evaluation.float32


def test_only_families_that_a_target_needs_are_shipped(make, bundle_dir: Path):
    made = make(bundle_dir / "model.tflite", target_names=["cortex-m4"])
    manifest = read_bundle(Path(made.bundle)).manifest
    assert set(manifest.targets) == {"cortex-m4"}
    assert set(manifest.golden.outputs) == {NumericsFamily.TFLM}
    sizes = {entry.path: entry.bytes for entry in manifest.files}
    stored = max(sizes[MODEL_FILE], sizes[IMAGE_FILE]) + sizes["golden/inputs.npy"] + sizes["golden/tflm.npy"]
    assert manifest.targets["cortex-m4"].flash_bytes == stored


def test_a_foreign_int8_model_becomes_a_signed_bundle(make, shared_models: Path, trust_dir: Path):
    from converter.verification import verify_bundle

    made = make(shared_models / "kws/kws_ref_model.tflite", name="kws")
    kws = read_bundle(Path(made.bundle))
    assert kws.files[MODEL_FILE] == (shared_models / "kws/kws_ref_model.tflite").read_bytes()
    assert kws.manifest.targets["cortex-m4"].ram_bytes == 24_272
    assert kws.manifest.evaluation == Evaluation()
    verified = verify_bundle(kws, read_root(trust_dir / "image-root.json"), expiry(0))
    assert set(verified.golden) == BOTH


def test_nothing_is_written_when_the_gate_refuses(make, run_folder: Path, tmp_path: Path):
    # No model gains two full points: a limit below that refuses every one.
    with pytest.raises(RefusedError, match="more than -2"):
        make(run_folder, max_drop=-2.0)
    assert not (tmp_path / "out").exists()


def test_a_model_that_always_answers_the_same_is_refused(make, bundle_dir: Path, tmp_path: Path):
    np.savez(tmp_path / "one.npz", x=np.ones((5, 100, 6), np.float32))
    with pytest.raises(RefusedError, match="same answer to all"):
        make(bundle_dir / "model.tflite", calibration=tmp_path / "one.npz")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"target_names": ["toaster"]}, NotFoundError, "no target 'toaster'"),
        ({"name": "no good"}, InputError, "cannot be a model's name"),
        ({"calibration": Path("gone.npz")}, NotFoundError, "no file gone.npz"),
    ],
)
def test_bad_options_are_typed_errors(make, bundle_dir: Path, options, error, words: str):
    with pytest.raises(error, match=words):
        make(bundle_dir / "model.tflite", **options)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.999])
def test_a_truncated_keras_file_is_a_typed_error(make, run_folder: Path, tmp_path, standardised, kept):
    data = (run_folder / "model.keras").read_bytes()
    file = tmp_path / "cut.keras"
    file.write_bytes(data[: kept if isinstance(kept, int) else int(len(data) * kept)])
    with pytest.raises(InputError, match=r"not a \.keras file"):
        make(file, calibration=standardised["calibration"])


def test_a_damaged_keras_file_is_a_typed_error(make, run_folder: Path, tmp_path: Path, standardised):
    data = bytearray((run_folder / "model.keras").read_bytes())
    data[2000:60000] = bytes(58000)
    (tmp_path / "bad.keras").write_bytes(data)
    with pytest.raises(FleetError):
        make(tmp_path / "bad.keras", calibration=standardised["calibration"])


@pytest.mark.parametrize("name", ["model.bin", "model.h5"])
def test_an_unknown_file_is_a_typed_error(make, tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"?" * 100)
    with pytest.raises(InputError, match="no model file that is known"):
        make(tmp_path / name)


def test_a_folder_that_is_no_run_is_a_typed_error(make, tmp_path: Path):
    with pytest.raises(InputError, match=r"has no run\.json"):
        make(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', "\x00"])
def test_a_damaged_run_file_is_a_typed_error(make, tmp_path: Path, text: str):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json"):
        make(tmp_path)
