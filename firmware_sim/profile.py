"""Exact instruction counts by operator and by class, through a hook compiled for the host.

A Python hook would cost 13 to 65 times the emulation. The hook counts basic blocks; instructions are
decoded once per block afterwards. An instruction that an IT block skips counts as one, as on the core.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import unicorn
from numpy.typing import NDArray
from unicorn.unicorn_py3.unicorn import uclib

from firmware_sim.machine import Machine
from firmware_sim.toolchain import host_library
from wire.errors import RefusedError

_BLOCKS: Final = 8192
_SOURCE: Final = Path(__file__).parent / "profile.c"
Counts = NDArray[np.uint64]


class _Profile(ctypes.Structure):
    """``profile`` of profile.c."""

    _fields_ = [
        *(
            (name, ctypes.c_uint32)
            for name in ("base", "bytes", "marker", "phase", "blocks", "last", "lost", "row")
        ),
        *((name, ctypes.c_void_p) for name in ("ids", "starts", "sizes", "counts", "taken")),
        ("phases", ctypes.c_uint32),
    ]


class Blocks(NamedTuple):
    """What ran."""

    starts: tuple[int, ...]
    code: tuple[bytes, ...]
    counts: Counts
    """(phases, blocks): times entered; phase 0 is before the first operator."""
    taken: Counts
    """(phases, blocks): times left by a branch that was taken."""


class Profiler:
    """Counts what a machine executes from now on."""

    def __init__(self, machine: Machine, operators: int) -> None:
        layout = machine.layout
        self._machine = machine
        self._phases = operators + 2
        self._ids = np.zeros(layout.code_bytes // 2, np.uint32)
        self._starts = np.zeros(_BLOCKS, np.uint32)
        self._sizes = np.zeros(_BLOCKS, np.uint32)
        self._counts = np.zeros((self._phases, _BLOCKS), np.uint64)
        self._taken = np.zeros((self._phases, _BLOCKS), np.uint64)
        self._profile = _Profile(
            base=layout.flash_origin,
            bytes=layout.code_bytes,
            marker=machine.elf.symbols["runtime_op"],
            row=_BLOCKS,
            phases=self._phases,
            ids=self._ids.ctypes.data,
            starts=self._starts.ctypes.data,
            sizes=self._sizes.ctypes.data,
            counts=self._counts.ctypes.data,
            taken=self._taken.ctypes.data,
        )
        self._library = ctypes.CDLL(str(host_library("profile", [_SOURCE])))
        self._hook = ctypes.c_size_t()
        status = uclib.uc_hook_add(
            machine.engine._uch,
            ctypes.byref(self._hook),
            ctypes.c_int(unicorn.UC_HOOK_BLOCK),
            ctypes.cast(self._library.on_block, ctypes.c_void_p),
            ctypes.byref(self._profile),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        # What is translated already would run without the hook.
        machine.engine.ctl_flush_tb()
        if status:
            raise RefusedError(
                "profiler", f"the emulator takes no hook (error {status})", "check unicorn's version"
            )

    def take(self) -> Blocks:
        """What ran since the last time; RefusedError when something ran outside the code."""
        if self._profile.lost:
            raise RefusedError("profiler", f"{self._profile.lost} blocks could not be counted", "report this")
        known = self._profile.blocks
        starts = tuple(map(int, self._starts[:known]))
        sizes = map(int, self._sizes[:known])
        blocks = Blocks(
            starts,
            tuple(self._machine.read(start, size) for start, size in zip(starts, sizes, strict=True)),
            self._counts[:, :known].copy(),
            self._taken[:, :known].copy(),
        )
        self._counts[:] = 0
        self._taken[:] = 0
        self._profile.phase = self._profile.last = 0
        return blocks

    def stop(self) -> None:
        """Remove the hook."""
        uclib.uc_hook_del(self._machine.engine._uch, self._hook)
