"""A plan inside the ``.tflite``: the metadata ``OfflineMemoryAllocation`` that TFLM reads by itself.

Source: micro_allocation_info.cc (GetOfflinePlannedOffsets) and docs/memory_management.md of tflite-micro:
int32 [version, subgraphs, tensors, offset, ...], an offset for every tensor, -1 where TFLM shall choose.
Everything else in the file stays as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter.flatbuffer import parse
from converter.planning.builder import AlignedBuilder
from wire.errors import InputError

NAME: Final = b"OfflineMemoryAllocation"
_VERSION: Final = 1
_HEADER_WORDS: Final = 3
_WORD: Final = np.dtype("<i4")


def with_plan(model: bytes, offsets: Mapping[int, int]) -> bytes:
    """The model with this plan in place of any other; the same plan gives the same bytes.

    ``offsets`` in bytes by tensor of the only graph. InputError for a damaged file.
    """
    tree = _loaded(model)
    tensors = len(tree.subgraphs[0].tensors)
    words = [_VERSION, 1, tensors, *(offsets.get(index, -1) for index in range(tensors))]
    _plan_buffer(tree).data = np.array(words, _WORD).view(np.uint8)
    builder = AlignedBuilder(len(model) + 1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def plan_in(model: bytes) -> dict[int, int] | None:
    """Offsets that the file carries, by tensor; None when it carries none. InputError for a damaged plan."""
    tree = _loaded(model)
    entry = _entry(tree)
    if entry is None:
        return None
    content = tree.buffers[entry.buffer].data if entry.buffer < len(tree.buffers) else None
    held = b"" if content is None else np.asarray(content, np.uint8).tobytes()
    tensors = sum(len(graph.tensors) for graph in tree.subgraphs)
    if len(held) != (_HEADER_WORDS + tensors) * _WORD.itemsize:
        raise InputError(
            "damaged_plan", f"the memory plan has {len(held)} bytes for {tensors} tensors", "plan it again"
        )
    words = np.frombuffer(held, _WORD)[_HEADER_WORDS:]
    return {tensor: int(offset) for tensor, offset in enumerate(words) if offset >= 0}


def _loaded(model: bytes) -> Any:
    parse(model)
    try:
        return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    except (struct.error, ValueError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            "damaged_model", f"the .tflite file is damaged: {str(error)[:120]}", "copy or convert it again"
        ) from error


def _entry(tree: Any) -> Any:
    """TFLM takes the last entry of that name."""
    found = [entry for entry in tree.metadata or [] if entry.name == NAME]
    return found[-1] if found else None


def _plan_buffer(tree: Any) -> Any:
    """The buffer of the plan: the one it has, when nothing else uses it, or else a new one."""
    others = [entry for entry in tree.metadata or [] if entry.name != NAME]
    mine = _entry(tree)
    used = {entry.buffer for entry in others} | {t.buffer for g in tree.subgraphs for t in g.tensors}
    if mine is None or mine.buffer in used or not 0 < mine.buffer < len(tree.buffers):
        mine = schema.MetadataT(name=NAME, buffer=len(tree.buffers))
        tree.buffers = [*tree.buffers, schema.BufferT()]
    tree.metadata = [*others, mine]
    return tree.buffers[mine.buffer]


def without_plan(model: bytes) -> bytes:
    """The model as TFLM plans it by itself; InputError for a damaged file."""
    tree = _loaded(model)
    mine = _entry(tree)
    if mine is None:
        return model
    tree.metadata = [entry for entry in tree.metadata if entry.name != mine.name]
    builder = AlignedBuilder(len(model) + 1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())
