"""A plan inside the ``.tflite``: the metadata ``OfflineMemoryAllocation`` that TFLM reads by itself.

Source: micro_allocation_info.cc (GetOfflinePlannedOffsets) and docs/memory_management.md of tflite-micro:
int32 [version, subgraphs, tensors, offset, ...], an offset for every tensor, -1 where TFLM shall choose.
Everything else in the file stays as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter.flatbuffer import PLAN_NAME, Model, parse
from converter.planning.builder import AlignedBuilder
from converter.planning.placement import Offsets
from wire.errors import InputError

_VERSION: Final = 1
HEADER_WORDS: Final = 3
_WORD: Final = np.dtype("<i4")


def with_plan(model: bytes, offsets: Mapping[int, int]) -> bytes:
    """The model with this plan in place of any other; the same plan gives the same bytes.

    ``offsets`` in bytes by tensor of the only graph. InputError for a damaged file.
    """
    return _changed(model, lambda tree: _put(tree, offsets))


def without_plan(model: bytes) -> bytes:
    """The model as TFLM plans it by itself; InputError for a damaged file."""
    return model if parse(model).plan is None else _changed(model, drop_plan)


def _put(tree: Any, offsets: Mapping[int, int]) -> None:
    tensors = len(tree.subgraphs[0].tensors)
    words = [_VERSION, 1, tensors, *(offsets.get(index, -1) for index in range(tensors))]
    _plan_buffer(tree).data = np.array(words, _WORD).view(np.uint8)


def plan_in(model: bytes) -> Offsets | None:
    """Offsets that the file carries, by tensor; None when it carries none. InputError for a damaged plan."""
    return plan_of(parse(model))


def plan_of(model: Model) -> Offsets | None:
    """The same of a file that was read."""
    if model.plan is None:
        return None
    tensors = sum(len(graph.tensors) for graph in model.graphs)
    if len(model.plan) != HEADER_WORDS + tensors:
        raise InputError(
            "damaged_plan",
            f"the memory plan has {len(model.plan)} words for {tensors} tensors",
            "plan it again",
        )
    return {tensor: offset for tensor, offset in enumerate(model.plan[HEADER_WORDS:]) if offset >= 0}


def drop_plan(tree: Any) -> None:
    """Take the plan out of a ``schema.ModelT``; its buffer stays, for numbers of others hang on it."""
    entry = _entry(tree)
    if entry is not None and entry.buffer < len(tree.buffers):
        tree.buffers[entry.buffer].data = None
    tree.metadata = [entry for entry in tree.metadata or [] if entry.name != PLAN_NAME]


def _entry(tree: Any) -> Any:
    """TFLM takes the last entry of that name."""
    found = [entry for entry in tree.metadata or [] if entry.name == PLAN_NAME]
    return found[-1] if found else None


def _plan_buffer(tree: Any) -> Any:
    """The buffer of the plan: the one it has, when nothing else uses it, or else a new one."""
    others = [entry for entry in tree.metadata or [] if entry.name != PLAN_NAME]
    mine = _entry(tree)
    used = {entry.buffer for entry in others} | {t.buffer for g in tree.subgraphs for t in g.tensors}
    if mine is None or mine.buffer in used or not 0 < mine.buffer < len(tree.buffers):
        mine = schema.MetadataT(name=PLAN_NAME, buffer=len(tree.buffers))
        tree.buffers = [*tree.buffers, schema.BufferT()]
    tree.metadata = [*others, mine]
    return tree.buffers[mine.buffer]


def _changed(model: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after ``change`` to its ``schema.ModelT``."""
    parse(model)
    try:
        tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
        change(tree)
        builder = AlignedBuilder(len(model) + 1024)
        builder.Finish(tree.Pack(builder), b"TFL3")
        return bytes(builder.Output())
    except (struct.error, ValueError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            "damaged_model", f"the .tflite file is damaged: {str(error)[:120]}", "copy or convert it again"
        ) from error
