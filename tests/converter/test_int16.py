"""int16 activations between int8 ends: what both runtimes compute, and when such a file is shipped."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from converter import calibration_index, inspection, lint
from converter.bundle import Bundle, entries, read_bundle, write_bundle
from converter.conversion import Converted, convert
from converter.flatbuffer import parse
from converter.int8_ends import with_int8_ends
from converter.verification import verify_bundle
from runtimes import open_model
from tests.converter import crafted, digits
from tests.converter.crafted import BIAS, FC, HIDDEN, INPUT, OUTPUT, Type
from tinyfleet.keyfile import expiry, read_key, read_root
from wire.errors import InputError, RefusedError, TrustError
from wire.manifest import MODEL_FILE, digest_of
from wire.states import NumericsFamily

TFLM = NumericsFamily.TFLM
WEIGHTS_SCALE, INPUT_SCALE, OUTPUT_SCALE = 0.02, 0.5, 4.0


def wide(tree: Any) -> None:
    """16x8, its scales 256 times as fine."""
    for place in (INPUT, HIDDEN, OUTPUT):
        tensor = tree.subgraphs[0].tensors[place]
        tensor.type, tensor.quantization.scale = Type.INT16, [tensor.quantization.scale[0] / 256]
    tree.subgraphs[0].tensors[BIAS].type = Type.INT64
    tree.subgraphs[0].tensors[BIAS].quantization.scale = [INPUT_SCALE / 256 * WEIGHTS_SCALE]
    tree.buffers[2] = crafted.buffer(bytes(48))
    tree.operatorCodes[FC] = crafted.code("FULLY_CONNECTED", 11)


def ended() -> bytes:
    return with_int8_ends(crafted.model(wide), crafted.model())


@pytest.mark.parametrize("family", NumericsFamily)
def test_both_runtimes_compute_what_it_says(family: NumericsFamily):
    model = ended()
    weights = np.random.default_rng(crafted._SEED).integers(-127, 128, (6, 8), np.int8)
    inputs = np.random.default_rng(9).integers(-128, 128, (50, 8), np.int8)
    interpreter = open_model(family, model)
    answers = np.stack([interpreter.run(window) for window in inputs]).astype(int)
    real = (inputs * INPUT_SCALE) @ (weights * WEIGHTS_SCALE).T
    expected = np.clip(real.reshape(-1, 2, 3) / OUTPUT_SCALE, -128, 127)
    # Half a step of the last rounding, and one of int16's 256 before it.
    assert np.abs(answers - expected).max() <= 0.5 + 1 / 256 + 1e-6


def test_names_and_shapes_of_its_ends_are_those_of_the_int8_file():
    assert lint.check(parse(ended())) == lint.check(parse(crafted.model()))


def test_it_is_found_and_is_not_int8_throughout():
    seen = inspection.inspect(ended())
    assert [(f.code, f.severity) for f in seen.findings] == [("int16_activations", "info")]
    assert not seen.numerics_int8
    assert seen.runnable_tflm
    # Published latencies are of int8 models.
    assert all(fit.latency_ms is None for fit in seen.fits.values() if fit.npu is None)


def test_int16_ends_are_refused():
    with pytest.raises(RefusedError, match="int16, not int8, is the model's input and output"):
        lint.check(parse(crafted.model(wide)))


@pytest.fixture
def make(tmp_path: Path, trust_dir: Path):
    def run(source: Path, evaluation: Path | None, out: str = "out", **options) -> Converted:
        return convert(
            source,
            tmp_path / out,
            signer=read_key(trust_dir / "release.key"),
            expires=expiry(30),
            evaluation=evaluation,
            **options,
        )

    return run


@pytest.fixture(scope="module")
def unbalanced(tmp_path_factory) -> digits.Digits:
    return digits.make(tmp_path_factory.mktemp("unbalanced"), imbalance=1.5)


def test_auto_ships_int16_where_int8_loses_too_much(make, unbalanced, trust_dir: Path, tmp_path: Path):
    made = make(
        unbalanced.model, unbalanced.evaluation, calibration=unbalanced.calibration, activations="auto"
    )
    shipped, int8 = made.report.variants
    assert (made.report.activations, shipped.activations, int8.activations) == ("int16", "int16", "int8")
    assert made.report.gate.families == shipped.families
    for family in NumericsFamily:
        assert shipped.families[family].drop < 0.02
        assert int8.families[family].drop > 0.25
        assert shipped.families[family].float32 == int8.families[family].float32
    bundle = read_bundle(tmp_path / "out")
    assert bundle.manifest.lineage["activations"] == "int16"
    assert bundle.manifest.input.dtype == bundle.manifest.output.dtype == "int8"
    assert lint.int16_inside(parse(bundle.files[MODEL_FILE]))
    # Noise by layer is that of the shipped file.
    assert min(layer.sqnr_db for layer in made.report.layers) > 25
    root = read_root(trust_dir / "image-root.json")
    verified = verify_bundle(bundle, root, expiry(0), unbalanced.evaluation)
    assert verified.gate == made.report.gate
    assert set(verified.golden) == set(NumericsFamily)


def test_auto_ships_int8_where_it_passes(make, foreign_dir: Path, trust_dir: Path, tmp_path: Path):
    made = make(
        foreign_dir / "open.tflite",
        foreign_dir / "images.npz",
        activations="auto",
        max_drop=0.1,
        target_names=["cortex-m4"],
    )
    shipped, int16 = made.report.variants
    assert (made.report.activations, shipped.activations) == ("int8", "int8")
    assert (int16.name, int16.activations, int16.refused) == ("int16", "int16", "")
    assert set(int16.families) == {TFLM}
    bundle = read_bundle(tmp_path / "out")
    assert "activations" not in bundle.manifest.lineage
    check_that_false_indices_are_found(bundle, foreign_dir / "images.npz", trust_dir, tmp_path / "false")


def check_that_false_indices_are_found(bundle: Bundle, samples: Path, trust_dir: Path, out: Path):
    """Signed again with other indices: then it was not evaluated on what is left."""
    taken = calibration_index.unpack(bundle.files[calibration_index.FILE])
    said = bundle.manifest.lineage["calibration"]
    assert (said["index_of"], said["used"], len(taken)) == ("file", 119, 119)
    assert said["index_sha256"] == digest_of(taken.astype("<i8").tobytes())
    files = {**bundle.files, calibration_index.FILE: calibration_index.pack(taken[::2])}
    manifest = msgspec.structs.replace(bundle.manifest, files=entries(files))
    write_bundle(out, manifest, files, read_key(trust_dir / "release.key"), expiry(30))
    with pytest.raises(TrustError):
        verify_bundle(read_bundle(out), read_root(trust_dir / "image-root.json"), expiry(0), samples)


def test_both_reasons_are_told_where_neither_passes(make, foreign_dir: Path):
    # A drop is never more than 1: a limit below -1 refuses all.
    with pytest.raises(RefusedError, match=r"int8 \(.*\) loses .*with int16 activations: int16 \(.*\) loses"):
        make(foreign_dir / "half.tflite", foreign_dir / "images.npz", activations="auto", max_drop=-1.5)


def test_an_operator_that_tflm_has_not_in_int16_is_refused_by_name(make, foreign_dir: Path):
    with pytest.raises(RefusedError, match=r"TFLM cannot run the model: .*RESIZE_BILINEAR"):
        make(foreign_dir / "wider.tflite", foreign_dir / "images.npz", activations="int16", max_drop=1.0)


def test_auto_needs_a_gate_and_a_float_model(make, foreign_dir: Path, bundle_dir: Path):
    with pytest.raises(InputError, match="chooses by accuracy"):
        make(
            foreign_dir / "open.tflite",
            None,
            calibration=foreign_dir / "unseen.npz",
            activations="auto",
        )
    with pytest.raises(InputError, match="stay as they are"):
        make(bundle_dir / "model.tflite", None, activations="int16")
