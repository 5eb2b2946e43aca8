"""Thumb instructions as far as counting them by class and estimating their cycles needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Any, Final, NamedTuple

import capstone
from capstone import arm

from wire.errors import RefusedError

_BRANCHES: Final = {
    arm.ARM_INS_B: "branch", arm.ARM_INS_CBZ: "branch", arm.ARM_INS_CBNZ: "branch",
    arm.ARM_INS_BL: "call", arm.ARM_INS_BX: "jump", arm.ARM_INS_BLX: "jump",
    arm.ARM_INS_TBB: "jump", arm.ARM_INS_TBH: "jump",
}  # fmt: skip
_LOAD: Final = re.compile("ldr|ldm|pop")
_STORE: Final = re.compile("str|stm|push")
_MULTIPLY: Final = re.compile("mul|mla|mls|sm[lmu]|um[alu]")
_DIVIDE: Final = re.compile("[su]div")


class Kind(StrEnum):
    """What is counted apart."""

    LOAD = "load"
    STORE = "store"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    BRANCH = "branch"
    OTHER = "other"


class Instruction(NamedTuple):
    """One instruction."""

    kind: Kind
    words: int
    """Registers that are loaded or stored."""
    address: frozenset[int]
    """Registers that make up the address of a load or store."""
    writes: frozenset[int]
    indexed: bool
    """The address is the sum of two registers."""
    leaves: str | None
    """How it leaves the straight line, if it may: branch, call, jump or return."""
    always: bool
    """It leaves whenever it is executed."""
    skippable: bool
    """An IT block may skip it."""


def decode(code: bytes, address: int) -> tuple[Instruction, ...]:
    """All of a basic block; RefusedError when it is not Thumb code throughout."""
    found = tuple(_decoded(code, address))
    if sum(size for _, size in found) != len(code):
        raise RefusedError("profiler", f"code at 0x{address:08x} cannot be decoded", "report this")
    return tuple(instruction for instruction, _ in found)


@cache
def _engine() -> Any:
    engine = capstone.Cs(
        capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
    )
    engine.detail = True
    return engine


def _decoded(code: bytes, address: int) -> Iterator[tuple[Instruction, int]]:
    for raw in _engine().disasm(code, address):
        yield _instruction(raw), raw.size


def _instruction(raw: Any) -> Instruction:
    _, written = raw.regs_access()
    kind = _kind(raw)
    places = [operand.mem for operand in raw.operands if operand.type == arm.ARM_OP_MEM]
    registers = [operand.reg for operand in raw.operands if operand.type == arm.ARM_OP_REG]
    address = {register for place in places for register in (place.base, place.index) if register}
    based = raw.mnemonic.startswith(("ldm", "stm"))
    if based:
        address.add(registers[0])
    words = len(registers) - based if kind in {Kind.LOAD, Kind.STORE} else 0
    leaves = _BRANCHES.get(raw.id)
    if leaves is None and arm.ARM_REG_PC in written:
        leaves = "return" if kind is Kind.LOAD else "jump"
    predicated = raw.cc not in {arm.ARM_CC_AL, arm.ARM_CC_INVALID}
    conditional = predicated or raw.id in {arm.ARM_INS_CBZ, arm.ARM_INS_CBNZ}
    return Instruction(
        kind=kind,
        words=words,
        address=frozenset(address),
        writes=frozenset(written),
        indexed=any(place.index for place in places),
        leaves=leaves,
        always=leaves is not None and not conditional,
        skippable=predicated and raw.id != arm.ARM_INS_B,
    )


def _kind(raw: Any) -> Kind:
    if raw.id in _BRANCHES:
        return Kind.BRANCH
    for pattern, kind in (
        (_LOAD, Kind.LOAD),
        (_STORE, Kind.STORE),
        (_MULTIPLY, Kind.MULTIPLY),
        (_DIVIDE, Kind.DIVIDE),
    ):
        if pattern.match(raw.mnemonic):
            return kind
    return Kind.BRANCH if arm.ARM_REG_PC in raw.regs_access()[1] else Kind.OTHER
