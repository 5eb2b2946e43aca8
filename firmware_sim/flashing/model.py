"""The model image of what a person has: a bundle, a .tflite, or an image."""

from __future__ import annotations

from pathlib import Path

from converter.bundle import read_bundle
from converter.image.compiler import compile_image
from converter.source import read_tflite
from wire.image import MAGIC, read_header
from wire.manifest import IMAGE_FILE, MODEL_FILE


def read_image(path: Path) -> bytes:
    """A sound image. RefusedError names an operator that the runtime lacks; also NotFoundError, WireError."""
    if path.is_dir():
        files = read_bundle(path).files
        return _image(files.get(IMAGE_FILE, files[MODEL_FILE]))
    return _image(read_tflite(path))


def _image(data: bytes) -> bytes:
    if data[:4] != MAGIC.to_bytes(4, "little"):
        return compile_image(data).data
    read_header(data)
    return data
