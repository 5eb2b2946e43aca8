"""Bundles on disk: whole, checked, and signed by the right key."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from converter.bundle import Bundle, entries, read_bundle, sign_bundle, write_bundle
from converter.verification import verify_bundle
from wire.errors import FleetError, InputError, NotFoundError, TrustError, WireError
from wire.manifest import CARD_FILE, IMAGE_FILE, MODEL_FILE
from wire.trust import load_key, load_root, new_key

NOW = datetime.now(UTC).replace(microsecond=0)
EXPIRES = NOW + timedelta(days=30)


@pytest.fixture
def signer(trust_dir: Path):
    return load_key((trust_dir / "release.key").read_bytes())


@pytest.fixture
def root(trust_dir: Path):
    return load_root((trust_dir / "image-root.json").read_bytes())


@pytest.fixture
def bundle(bundle_dir: Path) -> Bundle:
    return read_bundle(bundle_dir)


@pytest.fixture
def copy(bundle: Bundle, bundle_dir: Path, tmp_path: Path) -> Path:
    for file in bundle_dir.rglob("*.*"):
        target = tmp_path / "copy" / file.relative_to(bundle_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    return tmp_path / "copy"


def test_devices_get_the_model_and_golden_vectors_only(bundle: Bundle):
    device = [entry.path for entry in bundle.manifest.device_files]
    assert device == [IMAGE_FILE, "golden/tflm.npy", "golden/inputs.npy", "golden/xnnpack.npy", MODEL_FILE]
    assert {CARD_FILE, "report.json", "memory_map.svg", "evidence/float32.npy"} < set(bundle.files)
    assert bundle.payload == b"".join(bundle.files[path] for path in device)


def test_a_bundle_reads_back_as_it_was_written(bundle: Bundle, signer, tmp_path: Path):
    digest = write_bundle(tmp_path / "out", bundle.manifest, bundle.files, signer, EXPIRES)
    again = read_bundle(tmp_path / "out")
    assert digest == again.digest == bundle.digest
    assert again.files == bundle.files
    assert not list(tmp_path.glob(".*"))


def test_signed_but_broken_v3_is_written_and_its_golden_vectors_tell(bundle: Bundle, signer, root, tmp_path):
    model = bytearray(bundle.files[MODEL_FILE])
    middle = len(model) // 2
    model[middle : middle + 512] = bytes(512)
    files = bundle.files | {MODEL_FILE: bytes(model)}
    manifest = msgspec.structs.replace(bundle.manifest, version=3, files=entries(files))
    write_bundle(tmp_path / "v3", manifest, files, signer, EXPIRES)
    with pytest.raises(FleetError, match="golden vectors give another output") as caught:
        verify_bundle(read_bundle(tmp_path / "v3"), root, NOW)
    assert caught.value.code == "self_test"


@pytest.mark.parametrize("name", [MODEL_FILE, "golden/tflm.npy", CARD_FILE])
def test_a_damaged_file_is_named(copy: Path, name: str):
    data = bytearray((copy / name).read_bytes())
    data[-1] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(TrustError, match=name):
        read_bundle(copy)


def test_a_file_with_a_tail_is_refused(copy: Path):
    (copy / MODEL_FILE).write_bytes((copy / MODEL_FILE).read_bytes() + b"x")
    with pytest.raises(TrustError, match=MODEL_FILE):
        read_bundle(copy)


def test_a_missing_file_is_named(copy: Path):
    (copy / "golden/inputs.npy").unlink()
    with pytest.raises(NotFoundError, match=r"inputs\.npy"):
        read_bundle(copy)


@pytest.mark.parametrize("path", ["../model.tflite", "/etc/passwd.txt", "a/b/c.npy", "Golden/x.npy"])
def test_a_manifest_cannot_name_files_elsewhere(copy: Path, path: str):
    manifest = json.loads((copy / "manifest.json").read_bytes())
    manifest["files"][-1]["path"] = path
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(WireError):
        read_bundle(copy)


def test_verify_runs_golden_vectors_and_scores_again(bundle: Bundle, root, run_folder: Path):
    verified = verify_bundle(bundle, root, NOW, run_folder / "eval.npz")
    assert set(verified.golden.values()) == {8}
    assert verified.same_samples
    assert verified.scores == bundle.manifest.evaluation.int8


def test_the_wrong_key_is_detected(copy: Path, root):
    sign_bundle(copy, load_key(new_key()), EXPIRES)
    with pytest.raises(TrustError, match="not signed by a key of the targets role"):
        verify_bundle(read_bundle(copy), root, NOW)


def test_an_unsigned_bundle_is_refused(copy: Path, root):
    (copy / "signature.json").unlink()
    with pytest.raises(TrustError, match="not signed"):
        verify_bundle(read_bundle(copy), root, NOW)


def test_an_expired_signature_is_refused_and_can_be_renewed(copy: Path, root, signer):
    later = EXPIRES + timedelta(days=1)
    with pytest.raises(TrustError, match="expired"):
        verify_bundle(read_bundle(copy), root, later)
    sign_bundle(copy, signer, later + timedelta(days=1))
    assert verify_bundle(read_bundle(copy), root, later)


def test_another_manifest_under_the_same_signature_is_refused(copy: Path, root):
    text = (copy / "manifest.json").read_text().replace('"version": 1', '"version": 2')
    (copy / "manifest.json").write_text(text)
    with pytest.raises(TrustError, match="another manifest"):
        verify_bundle(read_bundle(copy), root, NOW)


def test_a_taken_directory_is_not_overwritten(bundle: Bundle, bundle_dir: Path, signer):
    with pytest.raises(InputError, match="already exists"):
        write_bundle(bundle_dir, bundle.manifest, bundle.files, signer, EXPIRES)
