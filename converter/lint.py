"""What keeps a model from being a full-integer int8 one that TFLM runs, and which one is fit to ship."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from converter import border, oplint, planlint, quantlint
from converter.findings import Finding, error, info, ordered, warning
from converter.flatbuffer import Graph, Model, Operator, Tensor
from wire.errors import RefusedError
from wire.manifest import TensorSpec
from wire.states import NumericsFamily

_AGAIN: Final = "convert its Keras model or SavedModel with full-integer quantisation, int8 input and output"
_CALIBRATE: Final = "tinyfleet convert makes it int8 by samples: give --calibration or --eval"
_FLOATS: Final = ("FLOAT32", "FLOAT16", "FLOAT64", "BFLOAT16")
_WEIGHTS: Final = ("INT8", "UINT8", "INT4")
#: What integer arithmetic may compute besides int8: indices, shapes, truth values, sums.
_WHOLE: Final = ("INT8", "INT32", "INT64", "BOOL")
#: Errors that are no reason against LiteRT.
_TFLM_ONLY: Final = ("unsupported_op",)
Findings = Iterator[Finding]


def check(model: Model, family: NumericsFamily = NumericsFamily.TFLM) -> tuple[TensorSpec, TensorSpec]:
    """Input and output of a model that a family's targets can run; else RefusedError, the first reason.

    What TFLM runs, LiteRT runs too as far as reading the file can tell.
    """
    for finding in refusals(model, family):
        raise RefusedError(finding.code, finding.message, finding.remedy)
    main = model.graphs[0]
    ends = main.tensors[main.inputs[0]], main.tensors[main.outputs[0]]
    return _spec(main.input_name, ends[0]), _spec(main.output_name, ends[1])


def refusals(model: Model, family: NumericsFamily) -> list[Finding]:
    """Errors that keep the targets of ``family`` from running the file."""
    others = () if family is NumericsFamily.TFLM else _TFLM_ONLY
    return [f for f in findings(model) if f.severity == "error" and f.code not in others]


def findings(model: Model) -> list[Finding]:
    """Everything that reading the file can tell, worst first; nothing is run."""
    found = [finding for rule in _RULES for finding in rule(model)]
    rest = (oplint.findings(model), quantlint.findings(model), planlint.findings(model))
    return ordered([*found, *(one for part in rest for one in part)])


def int8_numerics(model: Model) -> bool:
    """Whether input, output and all that is computed between them are int8, or integers of an index."""
    if any(True for _ in _hybrid_ops(model)):
        return False
    whole = all(tensor.dtype in _WHOLE for _, _, tensor in _computed(model))
    return whole and all(tensor.dtype == "INT8" for _, tensor in _ends(model.graphs[0]))


def int16_inside(model: Model) -> bool:
    """Whether it computes in int16 between int8 ends, and only QUANTIZE leads from one to the other."""
    if not any(tensor.dtype == "INT16" for _, _, tensor in _computed(model)):
        return False
    if any(tensor.dtype != "INT8" for _, tensor in _ends(model.graphs[0])):
        return False
    for graph in model.graphs:
        for op in graph.operators:
            moved = [graph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
            kinds = {tensor.dtype for tensor in moved if not tensor.constant}
            if {"INT8", "INT16"} <= kinds and op.name != "QUANTIZE":
                return False
    return True


def _external(model: Model) -> Findings:
    if model.external_buffers:
        yield error(
            "external_buffers",
            f"{model.external_buffers} weight buffers lie outside the flatbuffer, where TFLM reads none",
            "tinyfleet convert puts them inside; or export it with the weights inside the flatbuffer",
        )


def _graphs(model: Model) -> Findings:
    main = model.graphs[0]
    if len(main.inputs) != 1 or len(main.outputs) != 1:
        yield error(
            "many_tensors",
            f"the model has {len(main.inputs)} inputs and {len(main.outputs)} outputs",
            "give a model with one input and one output",
        )
    if len(model.graphs) > 1:
        yield warning(
            "many_graphs",
            f"the model has {len(model.graphs)} subgraphs, and only the first is called from outside",
            "export one signature; unroll loops and branches",
        )
    kept = sum(tensor.variable for graph in model.graphs for tensor in graph.tensors)
    if kept:
        yield info(
            "stateful",
            f"{kept} tensors keep their values between inferences",
            "reset it where a stream begins",
        )


def _floats(model: Model) -> Findings:
    """At most one of: hybrid, all float, or float here and there."""
    hybrid = list(_hybrid_ops(model))
    if hybrid:
        names = ", ".join(dict.fromkeys(op.name for _, op in hybrid))
        yield error(
            "hybrid_model",
            f"a hybrid (dynamic-range) model: {names} has int8 weights but float activations, "
            f"which TFLM cannot run ({len(hybrid)} operators)",
            _AGAIN,
            hybrid[0][0],
        )
        return
    ends = list(_ends(model.graphs[0]))
    computed = list(_computed(model))
    dtypes = [tensor.dtype for _, tensor in ends] + [tensor.dtype for _, _, tensor in computed]
    if not any(dtype in _FLOATS for dtype in dtypes):
        return
    if not any(dtype in ("INT8", "UINT8", "INT16") for dtype in dtypes):
        shown = next(dtype for dtype in dtypes if dtype in _FLOATS).lower()
        yield error("float_model", f"the model computes in {shown}, not int8", _CALIBRATE)
        return
    outer = [what for what, tensor in ends if tensor.dtype in _FLOATS]
    if outer:
        yield error(
            "unquantised_io",
            f"the model computes in integers, but float is its {_listed(outer)}",
            "tinyfleet convert takes QUANTIZE and DEQUANTIZE off its ends"
            if border.ends(model)
            else "convert it again with inference_input_type and inference_output_type int8",
        )
    yield from _float_inside(model)


def _float_inside(model: Model) -> Findings:
    """Float arithmetic inside differs from core to core, and golden vectors ask for equal bits."""
    outputs = set(model.graphs[0].outputs)
    inside = [
        (op, tensor)
        for graph, op, tensor in _computed(model)
        if tensor.dtype in _FLOATS and not (graph is model.graphs[0] and tensor.index in outputs)
    ]
    if inside:
        op, tensor = inside[0]
        names = dict.fromkeys(
            operator.name
            for graph in model.graphs
            for operator in graph.operators
            if operator.name != "QUANTIZE"
            and any(graph.tensors[index].dtype in _FLOATS for index in operator.inputs if index >= 0)
        )
        yield error(
            "float_inside",
            f"{len(inside)} tensors inside are computed in float, the first being tensor {tensor.index} in "
            f"{tensor.dtype.lower()}" + (f"; float is for {', '.join(names)}" if names else ""),
            _AGAIN,
            op,
        )


def _integers(model: Model) -> Findings:
    ends = list(_ends(model.graphs[0]))
    for dtype in dict.fromkeys(tensor.dtype for _, tensor in ends):
        if dtype != "INT8" and dtype not in _FLOATS:
            which = _listed(what for what, tensor in ends if tensor.dtype == dtype)
            code = f"{dtype.lower()}_model" if dtype in ("UINT8", "INT16") else "not_int8"
            yield error(code, f"{dtype.lower()}, not int8, is the model's {which}", _AGAIN)
    outer = {tensor.index for _, tensor in ends}
    wide = int16_inside(model)
    if wide:
        yield info("int16_activations", "the model computes in int16 between its int8 input and output")
    for dtype in ("UINT8",) if wide else ("UINT8", "INT16"):
        inside = [
            op
            for graph, op, tensor in _computed(model)
            if tensor.dtype == dtype and not (graph is model.graphs[0] and tensor.index in outer)
        ]
        if inside:
            shown = f"{len(inside)} tensors inside are computed in {dtype.lower()}, not int8"
            yield error(f"{dtype.lower()}_model", shown, _AGAIN, inside[0])


def _shapes(model: Model) -> Findings:
    for what, tensor in _ends(model.graphs[0]):
        if len(tensor.shape) < 2 or tensor.shape[0] != 1 or 0 in tensor.shape:
            yield error(
                "bad_shape",
                f"the model's {what} has shape {list(tensor.shape)}, not one item a batch",
                "export it with a fixed shape and a batch of 1",
            )
    tensors = [tensor for graph in model.graphs for tensor in graph.tensors if tensor.open_axes]
    loose = [tensor for tensor in tensors if tensor.open_axes != (0,)]
    if loose:
        yield error(
            "dynamic_shape",
            f"{len(loose)} tensors have open lengths, the first being tensor {loose[0].index} in axis "
            f"{max(loose[0].open_axes)}; TFLM would take each as 1",
            "export it with a fixed input shape",
        )
    elif tensors:
        yield info("dynamic_batch", "the batch is left open; TFLM takes it as the 1 that the file has")


def _scales(model: Model) -> Findings:
    whole = {tensor.index for _, tensor in _ends(model.graphs[0])}
    for what, tensor in _ends(model.graphs[0]):
        given = len(tensor.scales) == len(tensor.zero_points) == 1 and tensor.scales[0] > 0
        if tensor.dtype in ("INT8", "UINT8", "INT16") and not given:
            yield error("no_quantisation", f"the model's {what} has no scale and zero point", _AGAIN)
    bare = [
        op
        for graph, op, tensor in _computed(model)
        if tensor.dtype == "INT8" and not (graph is model.graphs[0] and tensor.index in whole)
        if tensor.channels == 0
    ]
    if bare:
        shown = f"{len(bare)} int8 tensors inside have no scale and zero point"
        yield error("no_quantisation", shown, _AGAIN, bare[0])


_RULES: Final[tuple[Callable[[Model], Findings], ...]] = (
    _external, _graphs, _floats, _integers, _shapes, _scales,
)  # fmt: skip


def _listed(ends: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(ends))


def _ends(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    for what, indices in (("input", graph.inputs), ("output", graph.outputs)):
        yield from ((what, graph.tensors[index]) for index in dict.fromkeys(indices))


def _computed(model: Model) -> Iterator[tuple[Graph, int, Tensor]]:
    for graph in model.graphs:
        for place, op in enumerate(graph.operators):
            yield from ((graph, place, graph.tensors[index]) for index in op.outputs)


def _hybrid_ops(model: Model) -> Iterator[tuple[int, Operator]]:
    for graph in model.graphs:
        for place, op in enumerate(graph.operators):
            operands = [graph.tensors[index] for index in op.inputs if index >= 0]
            weights = any(t.constant and t.dtype in _WEIGHTS for t in operands)
            if weights and any(t.dtype in _FLOATS and not t.constant for t in operands):
                yield place, op


def _spec(name: str, tensor: Tensor) -> TensorSpec:
    return TensorSpec(
        name=name,
        shape=list(tensor.shape),
        dtype="int8",
        scale=tensor.scales[0],
        zero_point=tensor.zero_points[0],
    )
