"""An image of a model, or in one line why there is none: a model may be for TFLM and Linux only."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from converter.image.compiler import compile_image
from wire.errors import RefusedError


class ImageReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a microcontroller with our own runtime needs of it."""

    bytes: int | None = None
    """Flash; None when there is no image."""
    arena_bytes: int | None = None
    """Activations, scratch and kept state; stack and variables of the runtime come on top."""
    ops: list[str] = []
    refused: str = ""
    """Why there is none."""

    @property
    def op_names(self) -> list[str]:
        """Its operators, each once, sorted: what a device's runtime must execute."""
        return sorted(set(self.ops))


class Compiled(NamedTuple):
    """What came of it."""

    data: bytes | None
    report: ImageReport


def compiled(model: bytes) -> Compiled:
    """Of an int8 ``.tflite``; InputError for a damaged one."""
    try:
        image = compile_image(model)
    except RefusedError as error:
        return Compiled(None, ImageReport(refused=error.message))
    header = image.header
    return Compiled(
        image.data,
        ImageReport(bytes=len(image.data), arena_bytes=header.arena_bytes, ops=list(image.ops)),
    )
