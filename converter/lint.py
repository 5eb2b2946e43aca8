"""Which models are full-integer int8 with one input and one output, and why the others are not."""

from __future__ import annotations

from converter.flatbuffer import Graph, Model, Tensor
from wire.errors import RefusedError
from wire.manifest import TensorSpec

_AGAIN = "convert it with full-integer quantisation, int8 input and output"


def check(model: Model) -> tuple[TensorSpec, TensorSpec]:
    """Input and output of a model that every int8 target can run; RefusedError with the reason otherwise."""
    if model.external_buffers:
        raise RefusedError(
            "external_buffers",
            f"{model.external_buffers} weight buffers lie outside the flatbuffer, where TFLM reads none",
            "export it with the weights inside the flatbuffer",
        )
    main = model.graphs[0]
    if len(main.inputs) != 1 or len(main.outputs) != 1:
        raise RefusedError(
            "many_tensors",
            f"the model has {len(main.inputs)} inputs and {len(main.outputs)} outputs",
            "give a model with one input and one output",
        )
    _check_hybrid(model)
    ends = main.tensors[main.inputs[0]], main.tensors[main.outputs[0]]
    for what, tensor in zip(("input", "output"), ends, strict=True):
        _check_end(what, tensor)
    _check_activations(model)
    return _spec(main.input_name, ends[0]), _spec(main.output_name, ends[1])


def _check_hybrid(model: Model) -> None:
    for graph in model.graphs:
        for op in graph.operators:
            operands = [graph.tensors[index] for index in op.inputs if index >= 0]
            quantised = any(t.constant and t.dtype in ("INT8", "UINT8", "INT4") for t in operands)
            if quantised and any(t.dtype == "FLOAT32" and not t.constant for t in operands):
                raise RefusedError(
                    "hybrid_model",
                    f"a hybrid (dynamic-range) model: {op.name} has int8 weights but float activations, "
                    "which TFLM cannot run",
                    _AGAIN,
                )


def _check_end(what: str, tensor: Tensor) -> None:
    if tensor.dtype != "INT8":
        code = {"FLOAT32": "float_model", "UINT8": "uint8_model"}.get(tensor.dtype, "not_int8")
        raise RefusedError(code, f"the model's {what} is {tensor.dtype.lower()}, not int8", _AGAIN)
    if len(tensor.shape) < 2 or tensor.shape[0] != 1 or 0 in tensor.shape:
        raise RefusedError(
            "bad_shape",
            f"the model's {what} has shape {list(tensor.shape)}, not one item a batch",
            "export it with a fixed shape and a batch of 1",
        )
    if len(tensor.scales) != 1 or len(tensor.zero_points) != 1 or not tensor.scales[0] > 0:
        raise RefusedError("no_quantisation", f"the model's {what} has no scale and zero point", _AGAIN)


def _check_activations(model: Model) -> None:
    """Float arithmetic inside differs from core to core, and golden vectors ask for equal bits."""
    for graph in model.graphs:
        for index in _activations(graph):
            if graph.tensors[index].dtype in ("FLOAT32", "FLOAT16", "FLOAT64"):
                raise RefusedError(
                    "not_int8", f"tensor {index} is computed in {graph.tensors[index].dtype.lower()}", _AGAIN
                )


def _activations(graph: Graph) -> set[int]:
    return {index for op in graph.operators for index in op.outputs}


def _spec(name: str, tensor: Tensor) -> TensorSpec:
    return TensorSpec(
        name=name,
        shape=list(tensor.shape),
        dtype="int8",
        scale=tensor.scales[0],
        zero_point=tensor.zero_points[0],
    )
