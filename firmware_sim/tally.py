"""What a profile counted, by operator: instructions by class and estimated cycles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from firmware_sim import cycles
from firmware_sim.cycles import CycleTable
from firmware_sim.instruction import Instruction, Kind, decode
from firmware_sim.profile import Blocks, Counts

CLASSES: Final = (
    *(kind.value for kind in Kind if kind is not Kind.BRANCH),
    "branch_taken",
    "branch_not_taken",
)


class OperatorCost(msgspec.Struct, frozen=True, kw_only=True):
    """One operator in one inference, or what lies around all of them."""

    op: str
    instructions: int
    cycles_estimated: int
    classes: dict[str, int]
    """Instructions by CLASSES, which add up to ``instructions``."""


class Tally:
    """Counts profiles of one firmware; every block is decoded once."""

    def __init__(self, table: CycleTable, operators: Sequence[str]) -> None:
        self._table = table
        self._names = ("(before)", *operators, "(after)")
        self._known: dict[tuple[int, bytes], _Block] = {}

    def operators(self, ran: Blocks) -> tuple[OperatorCost, ...]:
        """In order of execution; first and last what the runtime does before and after the operators."""
        blocks = [self._block(start, code) for start, code in zip(ran.starts, ran.code, strict=True)]
        always = np.array([block.always for block in blocks])
        taken = np.where(always, ran.counts, ran.taken).astype(np.uint64)
        spent = ran.counts @ _column(blocks, "straight") + taken @ _column(blocks, "refill")
        spent = spent.astype(np.int64) + ran.counts.astype(np.int64) @ self._cuts(ran, blocks)
        plain = ran.counts @ np.array([block.classes for block in blocks], np.uint64)
        branches = np.array([block.branch for block in blocks], np.uint64)
        jumped, stayed = taken @ branches, (ran.counts - taken) @ branches
        return tuple(
            _cost(name, [*plain[phase], jumped[phase], stayed[phase]], spent[phase])
            for phase, name in enumerate(self._names)
        )

    def _cuts(self, ran: Blocks, blocks: Sequence[_Block]) -> NDArray[np.int64]:
        """Cycles by which passing on to the next block differs from entering it with an empty pipeline.

        The emulator cuts straight code where its pages end; the core does not notice.
        """
        places = {start: place for place, start in enumerate(ran.starts)}
        found = np.zeros(len(blocks), np.int64)
        for place, (start, code, block) in enumerate(zip(ran.starts, ran.code, blocks, strict=True)):
            follower = places.get(start + len(code))
            if block.last.leaves is None and follower is not None:
                first = (blocks[follower].first,)
                through = cycles.cost(first, self._table, block.last).straight
                found[place] = through - cycles.cost(first, self._table).straight
        return found

    def _block(self, start: int, code: bytes) -> _Block:
        key = (start, code)
        if key not in self._known:
            self._known[key] = _block(decode(code, start), self._table)
        return self._known[key]


class _Block(NamedTuple):
    classes: tuple[int, ...]
    """Without branches, in the order of CLASSES."""
    branch: bool
    always: bool
    straight: int
    refill: int
    first: Instruction
    last: Instruction


def _block(instructions: Sequence[Instruction], table: CycleTable) -> _Block:
    kinds = [instruction.kind for instruction in instructions]
    last = instructions[-1]
    if Kind.BRANCH in kinds[:-1]:
        raise AssertionError("a basic block ends with its branch")
    price = cycles.cost(instructions, table)
    return _Block(
        classes=tuple(kinds.count(kind) for kind in Kind if kind is not Kind.BRANCH),
        branch=last.kind is Kind.BRANCH,
        always=last.always,
        straight=price.straight,
        refill=price.refill,
        first=instructions[0],
        last=last,
    )


def _column(blocks: Sequence[_Block], field: str) -> Counts:
    return np.array([getattr(block, field) for block in blocks], np.uint64)


def _cost(name: str, counts: Sequence[int], spent: int) -> OperatorCost:
    classes = {kind: int(count) for kind, count in zip(CLASSES, counts, strict=True)}
    return OperatorCost(
        op=name, instructions=sum(classes.values()), cycles_estimated=int(spent), classes=classes
    )
