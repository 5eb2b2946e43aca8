"""Cycles of a straight run of instructions, by the core's table in ``data/cycles.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec

from firmware_sim.instruction import Instruction, Kind
from wire.errors import NotFoundError


class CycleTable(msgspec.Struct, frozen=True, kw_only=True):
    """One core's figures; see the data file for what they mean."""

    published: bool
    """By the core's maker; else another core's table stands in."""
    source: str
    note: str
    error: str
    """How far estimates by this table were from a board."""
    load: int
    pipelined_load: int
    store: int
    indexed_store: int
    pipelined_store: int
    multiple: int
    word: int
    multiply: int
    divide: int
    address_stall: int
    branch_refill: int
    call_refill: int
    jump_refill: int
    return_refill: int


class BlockCost(NamedTuple):
    """Of one pass through a block."""

    straight: int
    """Cycles when it is left for the next address."""
    refill: int
    """More of them when it is left for another."""


NOT_MODELLED: Final = (
    "wait states and caches of the flash, contention on the bus, alignment of wide instructions"
)


def cores() -> tuple[str, ...]:
    """Targets with a table."""
    return tuple(_tables())


def table_of(target: str) -> CycleTable:
    """NotFoundError for a core without a table."""
    tables = _tables()
    if target not in tables:
        raise NotFoundError("no_cycles", f"there is no cycle table for {target}", "use an emulated core")
    return tables[target]


def cost(block: Sequence[Instruction], table: CycleTable, before: Instruction | None = None) -> BlockCost:
    """Without the instruction before it, a block begins with an empty pipeline."""
    straight = 0
    for instruction in block:
        straight += _cycles(instruction, before, table)
        before = instruction
    refills = {
        "branch": table.branch_refill,
        "call": table.call_refill,
        "jump": table.jump_refill,
        "return": table.return_refill,
    }
    last = block[-1].leaves
    return BlockCost(straight, refills[last] if last else 0)


def _cycles(instruction: Instruction, before: Instruction | None, table: CycleTable) -> int:
    match instruction.kind:
        case Kind.LOAD | Kind.STORE:
            return _transfer(instruction, before, table)
        case Kind.MULTIPLY:
            return table.multiply
        case Kind.DIVIDE:
            return table.divide
        case _:
            return 1


def _transfer(instruction: Instruction, before: Instruction | None, table: CycleTable) -> int:
    depends = before is not None and bool(before.writes & instruction.address)
    computed = before is not None and before.kind is not Kind.LOAD and before.kind is not Kind.STORE
    stall = table.address_stall if depends and computed else 0
    if instruction.words != 1:
        return table.multiple + table.word * instruction.words + stall
    behind_load = before is not None and before.kind is Kind.LOAD and before.words == 1
    if behind_load and not depends:
        return table.pipelined_load if instruction.kind is Kind.LOAD else table.pipelined_store
    if instruction.kind is Kind.LOAD:
        return table.load + stall
    return (table.indexed_store if instruction.indexed else table.store) + stall


@cache
def _tables() -> dict[str, CycleTable]:
    text = files("firmware_sim").joinpath("data/cycles.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["cores"], dict[str, CycleTable])
