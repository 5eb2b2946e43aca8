"""Each defect has its finding, alone; what cannot be shipped is refused by the reason."""

from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from converter import lint
from converter.flatbuffer import parse
from tests.converter import crafted
from tests.converter.crafted import BIAS, FC, HIDDEN, INPUT, OUTPUT, RESHAPE, WEIGHTS, Edit, Type
from wire.errors import RefusedError


def retyped(kind: int, *tensors: int) -> Edit:
    def edit(tree: Any) -> None:
        for place in tensors:
            tree.subgraphs[0].tensors[place].type = kind

    return edit


def all_float(tree: Any) -> None:
    retyped(Type.FLOAT32, INPUT, HIDDEN, OUTPUT)(tree)
    for place, values in ((WEIGHTS, 48), (BIAS, 6)):
        tree.subgraphs[0].tensors[place].type = Type.FLOAT32
        tree.buffers[place].data = crafted.buffer(bytes(4 * values)).data


def float_ends(tree: Any) -> None:
    """float32 -> QUANTIZE -> the model -> DEQUANTIZE -> float32."""
    graph = tree.subgraphs[0]
    graph.tensors.append(crafted.tensor("float in", (1, 8), Type.FLOAT32, None))
    graph.tensors.append(crafted.tensor("float out", (1, 2, 3), Type.FLOAT32, None))
    tree.operatorCodes += [crafted.code("QUANTIZE"), crafted.code("DEQUANTIZE")]
    first, last = crafted.operator(2, [6], [INPUT]), crafted.operator(3, [OUTPUT], [7])
    graph.operators = [first, *graph.operators, last]
    graph.inputs, graph.outputs = [6], [7]


def float_inside(tree: Any) -> None:
    """DEQUANTIZE, FLOOR in float, QUANTIZE."""
    graph = tree.subgraphs[0]
    graph.tensors += [crafted.tensor(name, (1, 6), Type.FLOAT32, None) for name in ("a", "b")]
    graph.tensors.append(crafted.tensor("c", (1, 6), Type.INT8, 4.0))
    tree.operatorCodes += [crafted.code(name) for name in ("DEQUANTIZE", "FLOOR", "QUANTIZE")]
    between = [
        crafted.operator(2, [HIDDEN], [6]),
        crafted.operator(3, [6], [7]),
        crafted.operator(4, [7], [8]),
    ]
    graph.operators = [graph.operators[0], *between, graph.operators[1]]
    graph.operators[-1].inputs[0] = 8


def batch_of_two(tree: Any) -> None:
    for place, shape in ((INPUT, [2, 8]), (HIDDEN, [2, 6]), (OUTPUT, [2, 1, 3])):
        tree.subgraphs[0].tensors[place].shape = shape


def two_outputs(tree: Any) -> None:
    tree.subgraphs[0].outputs = [OUTPUT, HIDDEN]


def renamed(at: int, code: Any) -> Edit:
    def edit(tree: Any) -> None:
        tree.operatorCodes[at] = code

    return edit


def open_axes(shape: list[int], place: int = INPUT) -> Edit:
    def edit(tree: Any) -> None:
        tree.subgraphs[0].tensors[place].shapeSignature = shape

    return edit


def unscaled(place: int) -> Edit:
    def edit(tree: Any) -> None:
        tree.subgraphs[0].tensors[place].quantization = None

    return edit


def per_channel(tree: Any) -> None:
    for place in (WEIGHTS, BIAS):
        scales = tree.subgraphs[0].tensors[place].quantization
        scales.scale, scales.zeroPoint = [scales.scale[0] * (1 + row) for row in range(6)], [0] * 6


def bare_reshape(tree: Any) -> None:
    tree.subgraphs[0].operators[RESHAPE].inputs = [HIDDEN]


def computed_shape(tree: Any) -> None:
    tree.subgraphs[0].tensors[crafted.SHAPE].buffer = 0


def second_graph(tree: Any) -> None:
    tree.subgraphs.append(crafted._tree().subgraphs[0])


def stateful(tree: Any) -> None:
    kept = crafted.tensor("kept", (1, 4), Type.INT8, 1.0)
    kept.isVariable = True
    tree.subgraphs[0].tensors.append(kept)


def loop(tree: Any) -> None:
    renamed(RESHAPE, crafted.code("IF"))(tree)


ALONE = [
    ([retyped(Type.FLOAT32, INPUT, HIDDEN, OUTPUT)], "hybrid_model", "error", FC),
    ([all_float], "float_model", "error", None),
    ([float_ends], "unquantised_io", "error", None),
    ([float_inside], "float_inside", "error", 1),
    ([retyped(Type.UINT8, INPUT)], "uint8_model", "error", None),
    ([retyped(Type.UINT8, HIDDEN)], "uint8_model", "error", 0),
    ([retyped(Type.INT16, INPUT)], "int16_model", "error", None),
    ([retyped(Type.INT16, HIDDEN)], "int16_model", "error", 0),
    ([retyped(Type.INT32, INPUT)], "not_int8", "error", None),
    ([open_axes([1, -1])], "dynamic_shape", "error", None),
    ([open_axes([-1, 8])], "dynamic_batch", "info", None),
    ([two_outputs], "many_tensors", "error", None),
    ([unscaled(OUTPUT)], "no_quantisation", "error", None),
    ([unscaled(HIDDEN)], "no_quantisation", "error", 0),
    ([renamed(RESHAPE, crafted.code("TILE"))], "unsupported_op", "error", RESHAPE),
    ([renamed(RESHAPE, crafted.code("CUSTOM", custom="Mine"))], "custom_op", "error", RESHAPE),
    ([renamed(RESHAPE, crafted.code("CUSTOM", custom="SignalRfft"))], "custom_op", "warning", RESHAPE),
    ([renamed(RESHAPE, crafted.code("CUSTOM"))], "custom_op", "error", RESHAPE),
    ([renamed(FC, crafted.code("FULLY_CONNECTED", 99))], "op_version", "warning", FC),
    ([loop], "control_flow", "warning", RESHAPE),
    ([per_channel], "per_channel_fc", "info", FC),
    ([bare_reshape], "reshape_without_shape", "error", RESHAPE),
    ([computed_shape], "computed_shape", "warning", RESHAPE),
    ([second_graph], "many_graphs", "warning", None),
    ([stateful], "stateful", "info", None),
]


def test_the_model_that_is_spoilt_below_has_no_finding():
    right = parse(crafted.model())
    assert lint.findings(right) == []
    assert lint.int8_numerics(right)


@pytest.mark.parametrize(("edits", "code", "severity", "op"), ALONE)
def test_each_defect_is_found_alone(edits: list[Edit], code: str, severity: str, op: int | None):
    (found,) = lint.findings(parse(crafted.model(*edits)))
    assert (found.code, found.severity, found.op) == (code, severity, op)
    assert found.message
    assert found.remedy or severity == "info"


def test_external_buffers_are_found_alone():
    (found,) = lint.findings(parse(crafted.with_external_buffers()))
    assert (found.code, found.severity) == ("external_buffers", "error")


def test_a_batch_of_two_is_found_at_both_ends():
    assert [f.code for f in lint.findings(parse(crafted.model(batch_of_two)))] == ["bad_shape", "bad_shape"]


def test_findings_do_not_stop_at_the_first():
    model = parse(
        crafted.model(two_outputs, unscaled(OUTPUT), per_channel, renamed(RESHAPE, crafted.code("TILE")))
    )
    codes = [finding.code for finding in lint.findings(model)]
    assert codes == ["many_tensors", "no_quantisation", "unsupported_op", "per_channel_fc"]


@pytest.mark.parametrize(("edits", "code", "severity", "op"), ALONE)
def test_convert_refuses_errors_only(edits: list[Edit], code: str, severity: str, op: int | None):
    model = parse(crafted.model(*edits))
    if severity != "error":
        spec_in, spec_out = lint.check(model)
        assert (spec_in.shape, spec_out.shape) == ([1, 8], [1, 2, 3])
        return
    with pytest.raises(RefusedError) as caught:
        lint.check(model)
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize(
    ("edit", "int8"),
    [
        (all_float, False),
        (float_ends, False),
        (float_inside, False),
        (retyped(Type.INT16, HIDDEN), False),
        (retyped(Type.UINT8, INPUT), False),
        (two_outputs, True),
        (per_channel, True),
        (bare_reshape, True),
    ],
)
def test_numerics_are_int8_only_if_everything_is(edit: Edit, int8: bool):
    assert lint.int8_numerics(parse(crafted.model(edit))) is int8


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        ("kws/kws_hybrid_refuse_me.tflite", "hybrid_model", "int8 weights but float activations"),
        ("ic/pretrainedResnet.tflite", "float_model", "computes in float32, not int8"),
        ("regress/resnet_large_aeq_external_buffers.tflite", "external_buffers", "outside the flatbuffer"),
    ],
)
def test_third_party_models_are_refused_by_reason(shared_models: Path, file: str, code: str, words: str):
    with pytest.raises(RefusedError, match=words) as caught:
        lint.check(parse((shared_models / file).read_bytes()))
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize("file", ["kws/kws_ref_model.tflite", "ic/pretrainedResnet_quant.tflite"])
def test_third_party_models_that_are_right_have_no_error(shared_models: Path, file: str):
    found = lint.findings(parse((shared_models / file).read_bytes()))
    assert [finding.code for finding in found] == ["dynamic_batch"]


def test_the_schema_has_not_grown_types_that_no_rule_knows():
    kinds = {name for name in vars(schema.TensorType) if not name.startswith("_")}
    assert {"FLOAT32", "FLOAT16", "FLOAT64", "BFLOAT16", "INT8", "UINT8", "INT16", "INT4"} <= kinds
