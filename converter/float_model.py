"""A float ``.tflite`` as a source: which one can be made int8, and what is put in order before."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from converter import lint
from converter.flatbuffer import Model, Operator, parse
from converter.repair import pack
from wire.errors import RefusedError
from wire.states import NumericsFamily

_FLOAT: Final = "float_model"
_PUT_IN_ORDER: Final = (_FLOAT, "dynamic_shape")


def is_float(model: Model) -> bool:
    """Whether nothing in it is computed in integers but indices and shapes, and no weight is int8."""
    return any(finding.code == _FLOAT for finding in lint.findings(model))


def check(model: Model) -> None:
    """RefusedError with the first reason why the float ``model`` cannot become an int8 one."""
    for finding in lint.refusals(model, NumericsFamily.XNNPACK):
        if finding.code not in _PUT_IN_ORDER:
            raise RefusedError(finding.code, finding.message, finding.remedy)
    if len(model.graphs) > 1:
        raise RefusedError(
            "many_graphs",
            f"the float model has {len(model.graphs)} subgraphs, of which only one can be made int8",
            "export one signature; unroll loops and branches",
        )
    main = model.graphs[0]
    for what, index in (("input", main.inputs[0]), ("output", main.outputs[0])):
        if main.tensors[index].dtype != "FLOAT32":
            raise RefusedError(
                "bad_type",
                f"the float model's {what} is {main.tensors[index].dtype.lower()}",
                "export it with float32 input and output",
            )
    if set(main.tensors[main.inputs[0]].open_axes) - {0}:
        raise RefusedError(
            "dynamic_shape", "the float model's input has open lengths", "export it with a fixed input shape"
        )


def prepare(data: bytes) -> bytes:
    """The same model for a batch of exactly one; in a child process, for it runs.

    Shapes are those that LiteRT finds. What depends on shapes and constants only becomes a constant:
    lengths computed for an open batch, and float16 weights, on which TensorFlow's calibrator crashes.
    """
    parsed = parse(data).graphs[0]
    interpreter = _run(data)
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    graph = tree.subgraphs[0]
    fixed = {tensor.index for tensor in parsed.tensors if tensor.constant}
    left = []
    for op, read in zip(graph.operators, parsed.operators, strict=True):
        if _is_fixed(read, fixed) and not set(read.outputs) & set(parsed.outputs):
            fixed |= set(read.outputs)
            for index in read.outputs:
                graph.tensors[index].buffer = _buffer(tree, interpreter.get_tensor(index))
        else:
            left.append(op)
    graph.operators = left
    # Behind the tensors of the file come those that kernels ask for.
    for tensor, found in zip(graph.tensors, interpreter.get_tensor_details(), strict=False):
        tensor.shapeSignature = None
        tensor.shape = found["shape"].tolist()
    _drop_unused(tree)
    return pack(tree)


def _run(data: bytes) -> Any:
    """LiteRT's interpreter after one inference, every tensor kept."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.invoke()
    return interpreter


def _is_fixed(op: Operator, fixed: set[int]) -> bool:
    operands = {index for index in op.inputs if index >= 0}
    return op.name == "SHAPE" or (bool(operands) and operands <= fixed)


def _buffer(tree: Any, values: NDArray[Any]) -> int:
    made = schema.BufferT()
    made.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    tree.buffers.append(made)
    return len(tree.buffers) - 1


def _drop_unused(tree: Any) -> None:
    """Tensors that no operator has any more, their values, and operator codes.

    The calibrator refuses codes without operators, and the 16x8 quantiser would keep the tensors.
    """
    graph = tree.subgraphs[0]
    codes = sorted({op.opcodeIndex for op in graph.operators})
    tree.operatorCodes = [tree.operatorCodes[index] for index in codes]
    for op in graph.operators:
        op.opcodeIndex = codes.index(op.opcodeIndex)
    used = {int(i) for end in (graph, *graph.operators) for i in (*end.inputs, *end.outputs)}
    kept = sorted(used - {-1})
    place = {old: new for new, old in enumerate(kept)} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in kept]
    for end in (graph, *graph.operators):
        end.inputs, end.outputs = ([place[int(i)] for i in ends] for ends in (end.inputs, end.outputs))
    for signature in tree.signatureDefs or []:
        for end in (*signature.inputs, *signature.outputs):
            end.tensorIndex = place[end.tensorIndex]
    held = {tensor.buffer for tensor in graph.tensors} | {entry.buffer for entry in tree.metadata or []}
    for index, buffer in enumerate(tree.buffers):
        if index not in held:
            buffer.data = None
