"""A signed bundle without a model, for a server that never runs one."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from securesystemslib.signer import Signer

from wire.manifest import (
    FileEntry,
    Golden,
    Manifest,
    Preprocessing,
    TargetNeeds,
    TensorSpec,
    digest_of,
    encode_manifest,
)
from wire.states import NumericsFamily
from wire.trust import Artifact, sign_manifest


def make_bundle(
    version: int, key: Signer, expires: datetime, *, model: str = "watch", ram_bytes: int = 10_000
) -> tuple[Artifact, dict[str, bytes]]:
    """A version for cortex-m4, and its files: 9 KB of noise of its own in the place of weights."""
    weights = np.random.default_rng(version).integers(0, 256, 9_000, np.uint8).tobytes()
    files = {"model.tflite": weights, "golden/inputs.npy": b"in", "golden/tflm.npy": b"out"}
    entries = [
        FileEntry(path=path, bytes=len(data), sha256=digest_of(data), device=True)
        for path, data in files.items()
    ]
    tensor = TensorSpec(name="x", shape=[1, 4], dtype="int8", scale=0.1, zero_point=0)
    needs = TargetNeeds(numerics=NumericsFamily.TFLM, ram_bytes=ram_bytes, flash_bytes=10_000)
    manifest = Manifest(
        model=model,
        version=version,
        labels=["a", "b"],
        input=tensor,
        output=tensor,
        preprocessing=Preprocessing(),
        ops=["FULLY_CONNECTED"],
        files=entries,
        golden=Golden(inputs="golden/inputs.npy", outputs={NumericsFamily.TFLM: "golden/tflm.npy"}),
        targets={"cortex-m4": needs},
    )
    text = encode_manifest(manifest)
    signature = sign_manifest(text, key, expires)
    return Artifact(manifest=text.decode(), signature=signature.decode()), files
