"""Versions made from another one: the same again, or with weights that answer wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from converter.bundle import Bundle, entries, read_bundle, write_bundle
from converter.flatbuffer import weight_spans
from converter.image.compiler import compile_image
from wire.manifest import IMAGE_FILE, MODEL_FILE
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
    changed = {MODEL_FILE: model}
    if IMAGE_FILE in bundle.files:
        changed[IMAGE_FILE] = compile_image(model).data
    _write(bundle, changed, out, version, release_key)


def make_again(good: Path, out: Path, version: int, release_key: Path) -> None:
    """Bundle ``out``: ``good`` once more, under another version."""
    _write(read_bundle(good), {}, out, version, release_key)


def _write(bundle: Bundle, changed: Mapping[str, bytes], out: Path, version: int, release_key: Path) -> None:
    files = {**bundle.files, **changed}
    manifest = msgspec.structs.replace(bundle.manifest, version=version, files=entries(files))
    expires = (datetime.now(UTC) + timedelta(days=365)).replace(microsecond=0)
    write_bundle(out, manifest, files, load_key(release_key.read_bytes()), expires)
