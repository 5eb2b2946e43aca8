"""Models that cannot be shipped are refused by name of the reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from converter import lint
from converter.flatbuffer import parse
from wire.errors import RefusedError


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


def edited(model: bytes, edit: Callable[[Any], None]) -> bytes:
    """The model after ``edit`` of its main graph."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    edit(tree.subgraphs[0])
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def set_input_type(name: str) -> Callable[[Any], None]:
    def edit(graph: Any) -> None:
        graph.tensors[graph.inputs[0]].type = getattr(schema.TensorType, name)

    return edit


def double_batch(graph: Any) -> None:
    graph.tensors[graph.inputs[0]].shape = [2, 100, 6]


def forget_scale(graph: Any) -> None:
    graph.tensors[graph.outputs[0]].quantization = None


def two_outputs(graph: Any) -> None:
    graph.outputs = [graph.outputs[0], graph.inputs[0]]


def float_inside(graph: Any) -> None:
    graph.tensors[graph.operators[0].outputs[0]].type = schema.TensorType.FLOAT32
    graph.operators = graph.operators[:1]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (set_input_type("UINT8"), "uint8_model"),
        (set_input_type("INT16"), "int16_model"),
        (double_batch, "bad_shape"),
        (forget_scale, "no_quantisation"),
        (two_outputs, "many_tensors"),
        (float_inside, "float_inside"),
    ],
)
def test_each_defect_has_its_code(bundle_dir: Path, edit: Callable[[Any], None], code: str):
    model = (bundle_dir / "model.tflite").read_bytes()
    lint.check(parse(edited(model, lambda graph: None)))
    with pytest.raises(RefusedError) as caught:
        lint.check(parse(edited(model, edit)))
    assert caught.value.code == code
