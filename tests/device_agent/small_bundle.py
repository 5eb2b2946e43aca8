"""Small signed bundles of a real model, and data to run it on."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from converter.image.compiler import compile_image
from device_agent.config import hardware_of
from runtimes import open_model
from tests.device_agent.tiny_model import CLASSES, INPUT_SCALE, INPUT_SHAPE, OUTPUT_SCALE, tiny_model
from wire import trust
from wire.manifest import (
    IMAGE_FILE,
    MODEL_FILE,
    FileEntry,
    Golden,
    Manifest,
    Preprocessing,
    TargetNeeds,
    TensorSpec,
    digest_of,
    encode_manifest,
)
from wire.part import Part, part_of
from wire.states import NumericsFamily
from wire.trust import Artifact

EXPIRES = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
ARENA_BYTES = 4096
IMAGE_ARENA_BYTES = compile_image(tiny_model()).header.arena_bytes
TARGETS = {
    "cortex-m0plus": NumericsFamily.TFLM,
    "cortex-m4": NumericsFamily.TFLM,
    "cortex-m33": NumericsFamily.TFLM,
    "linux-x86_64": NumericsFamily.XNNPACK,
    "linux-aarch64": NumericsFamily.XNNPACK,
}


class Keys:
    """Both roots and their keys, as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.release, self.director = (trust.load_key(trust.new_key()) for _ in range(2))
        folder.mkdir(parents=True, exist_ok=True)
        for name, key in (("image", self.release), ("director", self.director)):
            root_key = trust.load_key(trust.new_key())
            (folder / f"{name}-root.json").write_bytes(trust.make_root(root_key, key.public_key, EXPIRES))


class Bundle:
    """A signed bundle in memory."""

    def __init__(self, manifest: Manifest, payload: bytes, signature: bytes) -> None:
        self.manifest = manifest
        self.payload = payload
        text = encode_manifest(manifest)
        self.digest = digest_of(text)
        self.ref = manifest.ref(self.digest)
        self.artifact = Artifact(manifest=text.decode(), signature=signature.decode())

    def part(self, board: str = "linux-pc") -> Part:
        """What a device of that board fetches."""
        return part_of(self.manifest, hardware_of(board))

    def chunks(self, board: str = "linux-pc") -> range:
        """In which chunks that lies."""
        part, size = self.part(board), self.manifest.chunk_bytes
        return range(part.start // size, -(-part.end // size))


@cache
def golden_files(seed: int = 11) -> dict[str, bytes]:
    inputs = np.random.default_rng(7).integers(-128, 128, (4, *INPUT_SHAPE), dtype=np.int8)
    outputs = {}
    for numerics in NumericsFamily:
        interpreter = open_model(numerics, tiny_model(seed=seed))
        outputs[f"golden/{numerics}.npy"] = npy(np.stack([interpreter.run(window) for window in inputs]))
    xnnpack = {"golden/xnnpack.npy": outputs.pop("golden/xnnpack.npy")}
    return {**outputs, "golden/inputs.npy": npy(inputs), **xnnpack}


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def make_bundle(
    keys: Keys, version: int, damaged: bool = False, targets: tuple[str, ...] = (), seed: int = 11
) -> Bundle:
    """The tiny model as a bundle; ``damaged``: weights changed after the golden vectors were made.

    With another ``seed`` a sound model that mostly gives other labels.
    """
    model = tiny_model(damaged, seed)
    files = {IMAGE_FILE: compile_image(model).data, **golden_files(seed), MODEL_FILE: model}
    golden = {numerics: f"golden/{numerics}.npy" for numerics in NumericsFamily}
    needs = {
        name: TargetNeeds(numerics=TARGETS[name], ram_bytes=ARENA_BYTES, flash_bytes=100_000)
        for name in targets or TARGETS
    }
    return signed_bundle(keys, version, files, golden, 256, needs)


def signed_bundle(
    keys: Keys,
    version: int,
    files: dict[str, bytes],
    golden: dict[NumericsFamily, str],
    chunk_bytes: int,
    targets: dict[str, TargetNeeds],
) -> Bundle:
    """These files, of the tiny model's shape, under a signed manifest; ``golden`` says where outputs lie."""
    manifest = Manifest(
        model="tiny",
        version=version,
        labels=[f"word{i}" for i in range(CLASSES)],
        input=TensorSpec(name="in", shape=[1, *INPUT_SHAPE], dtype="int8", scale=INPUT_SCALE, zero_point=0),
        output=TensorSpec(name="out", shape=[1, CLASSES], dtype="int8", scale=OUTPUT_SCALE, zero_point=0),
        preprocessing=Preprocessing(),
        ops=["FULLY_CONNECTED"],
        files=[
            FileEntry(path=path, bytes=len(data), sha256=digest_of(data), device=True)
            for path, data in files.items()
        ],
        golden=Golden(inputs="golden/inputs.npy", outputs=golden),
        chunk_bytes=chunk_bytes,
        targets=targets,
    )
    signature = trust.sign_manifest(encode_manifest(manifest), keys.release, EXPIRES)
    return Bundle(manifest, b"".join(files.values()), signature)


def changed(keys: Keys, bundle: Bundle, **changes: object) -> Bundle:
    """The same payload under a manifest with other fields, signed as well."""
    manifest = replace(bundle.manifest, **changes)
    signature = trust.sign_manifest(encode_manifest(manifest), keys.release, EXPIRES)
    return Bundle(manifest, bundle.payload, signature)


def write_recording(file: Path, windows: int = 40) -> Path:
    rng = np.random.default_rng(3)
    x = rng.integers(-128, 128, (windows, *INPUT_SHAPE)).astype(np.float32) / 2
    np.savez(file, x=x, y=rng.integers(0, CLASSES, windows), group=np.arange(windows) % 4)
    return file
