"""The firmware's runtime on the host: the same C sources, compiled for this machine.

A fleet of thousands answers with it. That it gives the bytes of the emulated cores, and those of
tflite-micro, is what tests prove; how long a board takes is asked of the emulated core.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Final

import numpy as np

from firmware_sim.toolchain import runtime_library
from runtimes import Int8
from wire.errors import RefusedError, WireError
from wire.image import ALIGNMENT, read_header
from wire.states import Reason

_OK: Final = 0


class _Memory(ctypes.Structure):
    """``memory`` of firmware/kernels.h."""

    _fields_ = [("image", ctypes.c_void_p), ("arena", ctypes.c_void_p)]


class ImageInterpreter:
    """One model image, bound to an arena of its own."""

    def __init__(self, image: bytes, limit_bytes: int | None = None, latency_ns: int | None = None) -> None:
        """RefusedError when it is damaged, of another format, or needs a larger arena."""
        self.latency_ns = latency_ns
        try:
            self._header = read_header(image)
        except WireError as error:
            raise RefusedError(Reason.RUNTIME_REFUSED, error.message, error.hint) from error
        arena_bytes = self._header.arena_bytes
        self.arena_bytes: int | None = arena_bytes
        self._library = _library()
        self._image = _placed(image)
        self._arena = _aligned(arena_bytes)
        self._memory = _Memory()
        status = self._library.runtime_bind(
            ctypes.byref(self._memory),
            ctypes.c_void_p(self._image.ctypes.data),
            ctypes.c_uint32(len(image)),
            ctypes.c_void_p(self._arena.ctypes.data),
            ctypes.c_uint32(arena_bytes if limit_bytes is None else limit_bytes),
        )
        if status != _OK:
            raise RefusedError(
                Reason.RUNTIME_REFUSED, f"the runtime refuses the image (status {status})", "convert it again"
            )

    def run(self, window: Int8) -> Int8:
        """Output of one inference, flat; RefusedError for a window of another size."""
        header = self._header
        if window.size != header.input_bytes or window.dtype != np.int8:
            raise RefusedError(
                Reason.RUNTIME_REFUSED,
                f"the image takes {header.input_bytes} int8 values, not {window.size} of {window.dtype}",
                "check the sensor",
            )
        self._arena[header.input_at : header.input_at + header.input_bytes] = window.reshape(-1)
        self._library.runtime_invoke(ctypes.byref(self._memory))
        return self._arena[header.output_at : header.output_at + header.output_bytes].copy()


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(runtime_library()))
    library.runtime_bind.restype = ctypes.c_int32
    library.runtime_invoke.restype = None
    return library


@cache
def _placed(image: bytes) -> Int8:
    """Aligned as in flash; equal images of many devices are held once."""
    placed = _aligned(len(image))
    placed[:] = np.frombuffer(image, np.int8)
    return placed


def _aligned(length: int) -> Int8:
    room = np.zeros(length + ALIGNMENT, np.int8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + length]
