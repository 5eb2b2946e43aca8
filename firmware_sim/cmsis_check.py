"""How far the cycle estimate is from a real board: CMSIS-NN's kernels here, beside microTVM with them there.

The board ran another version of the kernels, built by another compiler, from flash with wait states.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import tempfile
from pathlib import Path
from typing import Any, Final

import flatbuffers
import msgspec
import numpy as np
from ai_edge_litert import schema_py_generated as schema

import boards
from converter.execution import execute
from converter.image.graph import Graph, read
from firmware_sim import cmsis_code, cycles, published, toolchain
from firmware_sim.comparison import inputs_for
from firmware_sim.cores import core_of
from firmware_sim.elf import read_elf
from firmware_sim.layout import Layout, layout_of
from firmware_sim.machine import Machine
from firmware_sim.profile import Blocks, Profiler
from firmware_sim.published import Published
from firmware_sim.tally import Tally
from wire.errors import InputError, RefusedError
from wire.states import NumericsFamily

BOARD: Final = "nucleo-l4r5zi"
_STACK: Final = "microTVM with CMSIS-NN kernels"
_HERE: Final = Path(__file__).parent
_FLAG: Final = "-O2"
_ARENA_BYTES: Final = 4096
_REFILLS: Final = (1, 3)
"""Least and most cycles of a pipeline refill, by the core's manual."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One model's layers but its SOFTMAX, which the package's CMSIS-NN lacks."""

    model: str
    board: str
    kernels: str
    compiler: str
    instructions: int
    cycles_estimated: int
    cycles_low: int
    """If every refill takes one cycle."""
    cycles_high: int
    """If every refill takes three."""
    add_cycles: int
    """Of the above, by ADD, whose kernel is not CMSIS-NN's."""
    bit_exact_with_tflm: bool
    latency_ms: float
    published_ms: float
    ratio: float
    """Estimated over published."""


def has_result(model: bytes) -> bool:
    """Whether there is one to check with."""
    return bool(_results(model))


def check(name: str, model: bytes) -> Check:
    """InputError without the package; RefusedError for a model with other layers, or without a result."""
    others = _results(model)
    if not others:
        raise RefusedError("no_result", f"{_STACK} has no published result for {name}", "give KWS or IC")
    cut = _without_softmax(model)
    graph, inputs = read(cut), inputs_for(cut)[:1]
    layout = _layout()
    machine = Machine(core_of(boards.load(BOARD).target), layout, read_elf(_build(graph, layout)))
    symbols = machine.elf.symbols
    profiler = Profiler(machine, len(graph.nodes))
    machine.write(symbols[cmsis_code.buffer(graph.input)], inputs.tobytes())
    machine.invoke()
    blocks = profiler.take()
    wanted = execute(NumericsFamily.TFLM, cut, inputs).outputs
    answer = machine.read(symbols[cmsis_code.buffer(graph.output)], wanted.size)
    table = cycles.table_of(boards.load(BOARD).target)
    ops = Tally(table, [node.name for node in graph.nodes]).operators(blocks)
    spent = sum(op.cycles_estimated for op in ops)
    latency_ms = spent / (boards.load(BOARD).clock_mhz * 1e3)
    low, high = (_spent(graph, blocks, table, refill) for refill in _REFILLS)
    return Check(
        model=name,
        board=BOARD,
        kernels=f"CMSIS-NN 4.0.0 of bakenn {_version()}",
        compiler=f"{toolchain.compiler_version()} {_FLAG}",
        instructions=sum(op.instructions for op in ops),
        cycles_estimated=spent,
        cycles_low=low,
        cycles_high=high,
        add_cycles=sum(op.cycles_estimated for op in ops if op.op == "ADD"),
        bit_exact_with_tflm=answer == wanted.tobytes(),
        latency_ms=round(latency_ms, 1),
        published_ms=others[0].latency_ms,
        ratio=round(latency_ms / others[0].latency_ms, 3),
    )


def _results(model: bytes) -> list[Published]:
    rows = published.of(model, boards.load(BOARD).target)
    return [row for row in rows if row.stack == _STACK]


def _spent(graph: Graph, blocks: Blocks, table: cycles.CycleTable, refill: int) -> int:
    other = msgspec.structs.replace(
        table, branch_refill=refill, call_refill=refill, jump_refill=refill, return_refill=refill
    )
    names = [node.name for node in graph.nodes]
    return sum(op.cycles_estimated for op in Tally(other, names).operators(blocks))


def _layout() -> Layout:
    """Every tensor has a place of its own: the RAM is the variables'."""
    layout = layout_of(boards.load(BOARD))
    own = layout.ram_bytes - _ARENA_BYTES
    return layout._replace(
        own_ram_bytes=own,
        arena_origin=layout.ram_origin + own,
        model_ram_bytes=_ARENA_BYTES,
        stack_bytes=2 * layout.stack_bytes,
    )


def _build(graph: Graph, layout: Layout) -> Path:
    vendor = _vendor()
    own = (_HERE / "cmsis", _HERE / "firmware")
    folders = (vendor / "cmsis_nn" / "Include", vendor / "cmsis_core" / "Include", *own)
    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        layers = Path(name) / "layers.c"
        layers.write_text(cmsis_code.code(graph))
        sources = [layers, _HERE / "firmware" / "startup.c", *sorted(vendor.glob("cmsis_nn/Source/*/*.c"))]
        return toolchain.build(
            core_of(boards.load(BOARD).target).compiler_cpu,
            {**layout.symbols(), "ARENA_BYTES": _ARENA_BYTES},
            b"",
            sources,
            optimisation=_FLAG,
            options=("-w", "-std=c11", f"-DKERNELS={_version()}", *(f"-I{folder}" for folder in folders)),
        )


def _vendor() -> Path:
    found = importlib.util.find_spec("bakenn")
    if found is None or found.origin is None:
        raise InputError("not_installed", "bakenn is not installed", "pip install 'tinyfleet[dev]'")
    return Path(found.origin).parent / "backend" / "cmsis_nn" / "vendor"


def _version() -> str:
    return importlib.metadata.version("bakenn")


def _without_softmax(model: bytes) -> bytes:
    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    graph = tree.subgraphs[0]
    last = graph.operators[-1]
    code = tree.operatorCodes[last.opcodeIndex]
    if max(code.builtinCode, code.deprecatedBuiltinCode) != schema.BuiltinOperator.SOFTMAX:
        return model
    graph.operators.pop()
    graph.outputs = np.array([last.inputs[0]])
    tree.signatureDefs = None
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())
