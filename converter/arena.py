"""The tensor arena: what TFLM says it uses, and the smallest one that it really runs in.

The figure it reports leaves out what it needs only while preparing (tflite-micro issues 890, 1104
and 2738), so small models need more than the report says. Hence the trial.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

STEP_BYTES: Final = 16
"""TFLM aligns to this; the answer is exact to one step."""
_MAX_ARENA_BYTES: Final = 256 * 1024 * 1024


class ArenaReport(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes, on a 64-bit host: 32-bit cores need less of the tail, for their pointers are shorter."""

    head: int
    """Planned activations and scratch."""
    tail: int
    """Persistent structures."""
    total: int
    confirmed_min: int
    """Smallest arena, in steps of 16 bytes, that the interpreter was constructed with and ran in."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker tells besides the outputs."""

    arena: ArenaReport | None = None


def generous_bytes(model_bytes: int, activation_bytes: int) -> int:
    """An arena that is surely enough to begin with: no activation shares memory, scratch as much again."""
    wanted = 1024 * 1024 + 16 * model_bytes + 2 * activation_bytes
    # A ragged end would count as used: TFLM aligns its tail downwards.
    return min(_MAX_ARENA_BYTES, wanted - wanted % STEP_BYTES)


def smallest(runs_in: Callable[[int], bool], reported: int) -> int:
    """Least multiple of STEP_BYTES that ``runs_in`` accepts, given that one step less is refused."""
    fails, works = 0, -(-reported // STEP_BYTES)
    while not runs_in(works * STEP_BYTES):
        fails, works = works, works + max(1, works // 8)
        if works * STEP_BYTES > _MAX_ARENA_BYTES:
            raise ValueError(f"no arena up to {_MAX_ARENA_BYTES} bytes is enough")
    while works - fails > 1:
        middle = (fails + works) // 2
        if runs_in(middle * STEP_BYTES):
            works = middle
        else:
            fails = middle
    return works * STEP_BYTES


def runs_in_fork(
    model: bytes, window: NDArray[np.int8], expected: NDArray[np.int8], arena_bytes: int
) -> bool:
    """Whether TFLM runs in this arena with the right answer; in a fork, as too small ones can crash it."""
    from runtimes.tflm import TflmInterpreter

    return holds_in_fork(
        lambda: np.array_equal(TflmInterpreter(model, arena_bytes).run(window), expected),
    )


def holds_in_fork(condition: Callable[[], bool]) -> bool:
    """Whether ``condition`` holds; a crash or an exception in it says no."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if condition() else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return status == 0
