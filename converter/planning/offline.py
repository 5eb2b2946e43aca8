"""A plan inside the ``.tflite``: the metadata ``OfflineMemoryAllocation`` that TFLM reads by itself.

Source: tensorflow/lite/micro/docs/offline_memory_plan.md: int32 [version, subgraphs, tensors, offset, ...],
an offset for every tensor, -1 where TFLM shall choose. Everything else in the file stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

NAME: Final = "OfflineMemoryAllocation"
_VERSION: Final = 1


def with_plan(model: bytes, offsets: Mapping[int, int]) -> bytes:
    """The model with this plan in place of any other; the same plan gives the same bytes."""
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    tensors = len(tree.subgraphs[0].tensors)
    words = [_VERSION, 1, tensors, *(offsets.get(index, -1) for index in range(tensors))]
    data = np.array(words, "<i4").view(np.uint8)
    kept = tree.metadata or []
    entry = next((item for item in kept if _name(item) == NAME), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name = NAME
        entry.buffer = len(tree.buffers)
        tree.buffers.append(schema.BufferT())
        tree.metadata = [*kept, entry]
    tree.buffers[entry.buffer].data = data
    builder = flatbuffers.Builder(len(model) + 1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def plan_in(model: bytes) -> dict[int, int] | None:
    """Offsets that the file carries, by tensor; None when it carries no plan."""
    root = schema.Model.GetRootAs(model)
    for index in range(root.MetadataLength()):
        item = root.Metadata(index)
        if item.Name() == NAME.encode():
            words = root.Buffers(item.Buffer()).DataAsNumpy().view("<i4")
            return {tensor: int(offset) for tensor, offset in enumerate(words[3:]) if offset >= 0}
    return None


def _name(item: object) -> str:
    name = getattr(item, "name", "")
    return name.decode() if isinstance(name, bytes) else str(name)
