"""Defects of a ``.tflite`` file that have one right repair, made without changing what it computes.

- External buffers: ai-edge-quantizer stores weights of 256 KB and more behind the flatbuffer
  (``Buffer.offset``, ``Buffer.size`` of the schema), where TFLM reads none; they are put inside.
- RESHAPE without options and without shape tensor: gets its output's shape as its option.
- One scale along an axis that does not exist: along axis 0, which means the same.
- A memory plan that is damaged or lets tensors overlap: is taken out, TFLM then plans by itself.
- QUANTIZE and DEQUANTIZE at the ends of an int8 model: are taken off (``border``), so that its input and
  output are int8; what was float outside is now float / scale + zero point.

Runs in a child process, for the object API follows every offset of the file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter import border, child, oplint, planlint, quantlint
from converter.child import serve
from converter.flatbuffer import Model, parse
from converter.planning.offline import drop_plan

ALIGNMENT: Final = 16
"""Of buffer data, bytes (``force_align`` in the schema): kernels read words from it."""
_TIMEOUT_S: Final = 120.0
_ADDRESS_SPACE_BYTES: Final = 4 * 1024**3


class Repaired(NamedTuple):
    """A model that is in order."""

    model: bytes
    done: list[str]
    """Codes of the findings that were repaired; empty when the file was left alone."""


def repair(data: bytes) -> Repaired:
    """The repaired file, or ``data`` itself; InputError for a damaged file, RefusedError if it resists."""
    if not defects(parse(data)):
        return Repaired(data, [])
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(data)
        done = child.call("converter.repair", folder, facts=list[str], timeout_s=_TIMEOUT_S)
        repaired = (folder / "repaired.tflite").read_bytes()
    parse(repaired)
    return Repaired(repaired, done)


def defects(model: Model) -> list[str]:
    """Codes of the findings that can be repaired."""
    found = ["external_buffers"] if model.external_buffers else []
    operators = [op for graph in model.graphs for op in graph.operators]
    if any(oplint.reshape_lacks_shape(op) for op in operators):
        found.append("reshape_without_shape")
    if any(quantlint.axis_out_of_range(tensor) for graph in model.graphs for tensor in graph.tensors):
        found.append("quantised_axis")
    found += [finding.code for finding in planlint.findings(model)]
    return [*found, *border.codes(model)]


def pack(tree: Any) -> bytes:
    """A ``schema.ModelT`` as a file, with its buffers aligned; the generated code aligns none."""
    tree.buffers = [_Aligned(buffer) for buffer in tree.buffers]
    size = sum(len(buffer.data) for buffer in tree.buffers if buffer.data is not None)
    builder = flatbuffers.Builder(size + 64 * 1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Aligned:
    """A ``schema.BufferT`` that packs its data on a multiple of ALIGNMENT."""

    def __init__(self, buffer: Any) -> None:
        data = buffer.data
        self.data: bytes | None = None if data is None else np.asarray(data, np.uint8).tobytes()

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the generated code calls it
        data = None
        if self.data is not None:
            builder.StartVector(1, len(self.data), ALIGNMENT)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return cast(int, schema.BufferEnd(builder))


def _work(folder: Path, _args: list[str]) -> list[str]:
    data = (folder / "model.tflite").read_bytes()
    model = parse(data)
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    _inline(tree, data)
    for graph, parsed in zip(tree.subgraphs, model.graphs, strict=True):
        for op, read in zip(graph.operators or [], parsed.operators, strict=True):
            if oplint.reshape_lacks_shape(read):
                op.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
                op.builtinOptions = schema.ReshapeOptionsT()
                op.builtinOptions.newShape = list(parsed.tensors[read.outputs[0]].shape)
        for tensor, known in zip(graph.tensors, parsed.tensors, strict=True):
            if quantlint.axis_out_of_range(known):
                tensor.quantization.quantizedDimension = 0
    if any(planlint.findings(model)):
        drop_plan(tree)
    border.take_off(tree, model)
    (folder / "repaired.tflite").write_bytes(pack(tree))
    return defects(model)


def _inline(tree: Any, data: bytes) -> None:
    for buffer in tree.buffers:
        if buffer.offset > 1 or buffer.size > 1:
            buffer.data = np.frombuffer(data, np.uint8)[buffer.offset : buffer.offset + buffer.size]
    for graph in tree.subgraphs:
        for op in graph.operators or []:
            if op.largeCustomOptionsOffset > 1:
                end = op.largeCustomOptionsOffset + op.largeCustomOptionsSize
                op.customOptions = np.frombuffer(data, np.uint8)[op.largeCustomOptionsOffset : end]
                op.largeCustomOptionsOffset = op.largeCustomOptionsSize = 0


if __name__ == "__main__":
    serve(_work, _ADDRESS_SPACE_BYTES)
