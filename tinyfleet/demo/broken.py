"""A version that downloads, verifies and installs, but answers wrongly: for showing what then happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from converter.bundle import read_bundle, write_bundle
from converter.flatbuffer import weight_spans
from wire.manifest import MODEL_FILE, FileEntry, digest_of
from wire.trust import load_key


def damage(model: bytes, seed: int) -> bytes:
    """The model with all its weights in random order: structure and size stay, the answers do not."""
    damaged = bytearray(model)
    generator = np.random.default_rng(seed)
    for start, end in weight_spans(model):
        weights = np.frombuffer(model[start:end], np.int8)
        damaged[start:end] = generator.permutation(weights).tobytes()
    return bytes(damaged)


def make_broken(good: Path, out: Path, version: int, release_key: Path, seed: int) -> None:
    """Bundle ``out``: ``good`` with damaged weights, its golden vectors untouched, properly signed."""
    bundle = read_bundle(good)
    model = damage(bundle.files[MODEL_FILE], seed)
    entry = FileEntry(path=MODEL_FILE, bytes=len(model), sha256=digest_of(model), device=True)
    files = [entry if old.path == MODEL_FILE else old for old in bundle.manifest.files]
    manifest = msgspec.structs.replace(bundle.manifest, version=version, files=files)
    write_bundle(
        out,
        manifest,
        {**bundle.files, MODEL_FILE: model},
        load_key(release_key.read_bytes()),
        (datetime.now(UTC) + timedelta(days=365)).replace(microsecond=0),
    )
