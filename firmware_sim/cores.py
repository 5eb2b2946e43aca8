"""The Cortex-M cores that are emulated: what they are called by the compiler and by the emulator."""

from __future__ import annotations

from typing import Final, NamedTuple

from unicorn import arm_const

from wire.errors import NotFoundError


class Core(NamedTuple):
    """One core."""

    target: str
    """As boards have it."""
    compiler_cpu: str
    emulator_model: int
    """Set on a plain Thumb engine: UC_MODE_MCLASS would make a Cortex-M33 of every core."""


_CORES: Final = {
    core.target: core
    for core in (
        Core("cortex-m0plus", "cortex_m0plus", arm_const.UC_CPU_ARM_CORTEX_M0),
        Core("cortex-m4", "cortex_m4", arm_const.UC_CPU_ARM_CORTEX_M4),
        Core("cortex-m7", "cortex_m7", arm_const.UC_CPU_ARM_CORTEX_M7),
        Core("cortex-m33", "cortex_m33+dsp", arm_const.UC_CPU_ARM_CORTEX_M33),
    )
}


def core_of(target: str) -> Core:
    """NotFoundError for a target without an emulated core."""
    if target not in _CORES:
        raise NotFoundError(
            "no_core", f"there is no emulated core for {target}", f"use a board with {', '.join(_CORES)}"
        )
    return _CORES[target]
