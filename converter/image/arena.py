"""Where an image's tensors and scratch lie in the arena; outputs lie over inputs where kernels allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from converter.image.graph import Graph
from converter.image.state import State, state_of
from converter.image.step import Step
from converter.planning.buffers import ALIGNMENT, Buffer
from converter.planning.search import search

_WORD: Final = 4
"""Bytes: what kernels read aligned. The planner counts in ALIGNMENT, which stands for a word here."""


class Arena(NamedTuple):
    """Offsets in bytes."""

    tensors: dict[int, int]
    scratch: tuple[int, ...]
    """By step; 0 for a step without."""
    bytes: int
    shared: int
    """Outputs that are written over inputs."""
    state: State
    """Its tensors are the first in the arena."""


def plan(graph: Graph, steps: Sequence[Step], aliases: dict[int, int]) -> Arena:
    """``aliases``: tensors that are the same bytes as another."""
    state = state_of(graph, steps)
    first, last = _lifetimes(graph, steps, aliases, state)
    home = dict(aliases)
    shared = sum(_share(step, scope, home, first, last) for scope, step in enumerate(steps, start=1))
    sizes: dict[int, int] = {}
    begins, ends = dict(first), dict(last)
    for index in first:
        root = _root(home, index)
        sizes[root] = max(sizes.get(root, 0), graph.tensors[index].nbytes)
        begins[root] = min(begins[root], first[index])
        ends[root] = max(ends[root], last[index])
    buffers = [Buffer(index, _units(size), begins[index], ends[index]) for index, size in sizes.items()]
    count = len(graph.tensors)
    buffers += [
        Buffer(count + scope, _units(step.scratch_bytes), scope, scope)
        for scope, step in enumerate(steps, start=1)
        if step.scratch_bytes
    ]
    found = search(buffers)
    placed = {buffer: state.bytes + _bytes(at) for buffer, at in found.offsets.items()}
    offsets = {**state.offsets, **placed}
    return Arena(
        {index: offsets[_root(home, index)] for index in {*first, *home, *state.offsets}},
        tuple(offsets.get(count + scope, 0) for scope in range(1, len(steps) + 1)),
        state.bytes + _bytes(found.head),
        shared,
        state,
    )


def _share(step: Step, scope: int, home: dict[int, int], first: dict[int, int], last: dict[int, int]) -> bool:
    """Give the output the bytes of an input that is not needed any more, if the kernel allows it."""
    for given in step.over:
        source, made = _root(home, given), _root(home, step.writes[0])
        if source != made and last.get(source) == scope and first[made] == scope:
            home[made] = source
            last[source] = last[made]
            return True
    return False


def _lifetimes(
    graph: Graph, steps: Sequence[Step], aliases: dict[int, int], state: State
) -> tuple[dict[int, int], dict[int, int]]:
    """First and last step, from 1, of every tensor that is no alias; the input is there before."""
    given = _root(aliases, graph.input.index)
    first, last = {given: 0}, {given: 0}
    for scope, step in enumerate(steps, start=1):
        for index in (*step.reads, *step.writes):
            root = _root(aliases, index)
            if root not in state.offsets:
                first.setdefault(root, scope)
                last[root] = scope
    last[_root(aliases, graph.output.index)] = len(steps)
    return first, last


def _root(home: dict[int, int], index: int) -> int:
    while index in home:
        index = home[index]
    return index


def _units(size: int) -> int:
    return -(-size // _WORD) * ALIGNMENT


def _bytes(units: int) -> int:
    return units // ALIGNMENT * _WORD
