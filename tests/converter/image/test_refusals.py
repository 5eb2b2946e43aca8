"""What the microcontroller runtime does not execute is refused by name and reason when an image is made."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converter.image.compiler import compile_image
from converter.repair import pack
from tests.firmware_sim import stateful
from tests.firmware_sim.model_builder import ModelBuilder
from wire.errors import RefusedError

SPATIAL = {"padding": 1, "strideH": 1, "strideW": 1}


def refusal(builder: ModelBuilder, given: int, made: int) -> str:
    with pytest.raises(RefusedError) as caught:
        compile_image(builder.finish(given, made))
    assert caught.value.code == "not_compiled"
    return caught.value.message


def weighted(name, options, shape, given=(1, 4, 4, 4), made=(1, 4, 4, 4), dtype="int8", zero=0, **values):
    """A model of one operator with weights of zeros."""
    builder = ModelBuilder()
    one, other = builder.tensor(given, 0.1, dtype=dtype), builder.tensor(made, 0.1, dtype=dtype)
    weights = builder.constant(np.zeros(shape, np.int8), 0.1, zero)
    builder.op(name, [one, weights], [other], options, **values)
    return builder, one, other


def test_int16_activations():
    said = refusal(*weighted("CONV_2D", "Conv2DOptions", (4, 1, 1, 4), dtype="int16", **SPATIAL))
    assert "CONV_2D" in said
    assert "INT16" in said
    said = refusal(
        *weighted("FULLY_CONNECTED", "FullyConnectedOptions", (4, 4), (1, 4), (1, 4), dtype="int16")
    )
    assert "FULLY_CONNECTED" in said
    assert "INT16" in said


def test_weights_with_a_zero_point():
    assert "zero point" in refusal(*weighted("CONV_2D", "Conv2DOptions", (4, 1, 1, 4), zero=3, **SPATIAL))


def test_groups_that_do_not_divide():
    assert "groups" in refusal(*weighted("CONV_2D", "Conv2DOptions", (4, 1, 1, 3), **SPATIAL))
    odd = weighted("CONV_2D", "Conv2DOptions", (3, 1, 1, 2), made=(1, 4, 4, 3), **SPATIAL)
    assert "groups" in refusal(*odd)


def test_several_pictures_at_once():
    batch = {"given": (2, 4, 4, 4), "made": (2, 4, 4, 4)}
    assert "(2, 4, 4, 4)" in refusal(*weighted("CONV_2D", "Conv2DOptions", (4, 1, 1, 4), **batch, **SPATIAL))


def test_depthwise_that_drops_channels():
    odd = weighted("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", (1, 1, 1, 2), made=(1, 4, 4, 2), **SPATIAL)
    assert "2 outputs of 4 inputs" in refusal(*odd)
    wrong = {"depthMultiplier": 2, **SPATIAL}
    model = weighted("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", (1, 1, 1, 4), **wrong)
    assert "multiplier of 2" in refusal(*model)


def test_depthwise_kernel_that_is_too_high():
    high = {"given": (1, 40, 1, 4), "made": (1, 8, 1, 4), "depthMultiplier": 1}
    options = "DepthwiseConv2DOptions"
    assert "33 rows" in refusal(*weighted("DEPTHWISE_CONV_2D", options, (1, 33, 1, 4), **high, **SPATIAL))


def test_fused_activation_that_is_none_of_relu():
    tanh = weighted("CONV_2D", "Conv2DOptions", (4, 1, 1, 4), fusedActivationFunction=4, **SPATIAL)
    assert "fused activation 4" in refusal(*tanh)


def test_softmax_of_another_output_scale():
    builder = ModelBuilder()
    one, other = builder.tensor((1, 4), 0.1), builder.tensor((1, 4), 0.1, -128)
    builder.op("SOFTMAX", [one], [other], "SoftmaxOptions", beta=1.0)
    assert "output scale of 0.1" in refusal(builder, one, other)


def test_softmax_where_tflite_micro_aborts(oracle):
    builder = ModelBuilder()
    one, other = builder.tensor((1, 4), 1e-9), builder.tensor((1, 4), 1 / 256, -128)
    builder.op("SOFTMAX", [one], [other], "SoftmaxOptions", beta=1.0)
    assert oracle.outputs(builder.finish(one, other), [np.zeros((1, 4), np.int8)]) == "crashed"
    assert "beta of 1" in refusal(builder, one, other)


def test_operator_without_a_kernel():
    builder = ModelBuilder()
    one, other = builder.tensor((1, 4), 0.1), builder.tensor((1, 4), 0.1)
    builder.op("GELU", [one], [other], "GeluOptions")
    assert "GELU" in refusal(builder, one, other)


def edited(model: bytes, edit) -> bytes:
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    edit(tree.subgraphs[0])
    return pack(tree)


def refused(model: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        compile_image(model)
    return caught.value.message


def spoil(name, value, *, tensor=None, option=None):
    """An edit of one tensor or of the first operator's options."""

    def edit(graph):
        place = graph.tensors[tensor] if tensor is not None else graph.operators[0].builtinOptions
        setattr(place, name or option, value)

    return edit


def svdf(**changes):
    return stateful.svdf(
        np.random.default_rng(1), **{"batch": 1, "inputs": 3, "units": 2, "rank": 2, "memory": 3, **changes}
    )


def lstm():
    return stateful.lstm(np.random.default_rng(1), batch=1, steps=2, inputs=3, units=2)


def test_svdf_forms():
    assert "state with zero point" in refused(svdf(state="int8", state_zero=4))
    assert "at rank 3" in refused(edited(svdf(), spoil("rank", 3)))
    assert "fused activation 3" in refused(edited(svdf(), spoil("fusedActivationFunction", 3)))
    assert "keeps no state" in refused(edited(svdf(), spoil("isVariable", False, tensor=4)))


def test_lstm_forms():
    assert "fused activation 1" in refused(edited(lstm(), spoil("fusedActivationFunction", 1)))
    assert "cell clip" in refused(edited(lstm(), spoil("cellClip", -1.0)))

    def layer_norm(graph):
        graph.operators[0].inputs = [*graph.operators[0].inputs[:20], 1, -1, -1, -1]

    def peephole(graph):
        graph.operators[0].inputs = [*graph.operators[0].inputs[:9], 1, *graph.operators[0].inputs[10:]]

    def odd_cell(graph):
        graph.tensors[14].quantization.scale = [0.001]

    assert "layer norms" in refused(edited(lstm(), layer_norm))
    assert "peepholes" in refused(edited(lstm(), peephole))
    assert "no power of two" in refused(edited(lstm(), odd_cell))


def test_dequantize_of_another_type():
    builder = ModelBuilder()
    one = builder.tensor((1, 4), 0.1, dtype="int16")
    other = builder.tensor((1, 4), None, dtype="float32")
    builder.op("DEQUANTIZE", [one], [other], "DequantizeOptions")
    assert "INT16" in refusal(builder, one, other)


def test_a_variable_that_is_written():
    builder = ModelBuilder()
    one, other = builder.tensor((1, 4), 0.1), builder.tensor((1, 4), 1 / 256, -128, variable=True)
    builder.op("SOFTMAX", [one], [other], "SoftmaxOptions", beta=1.0)
    assert "writes a variable" in refusal(builder, one, other)


def test_transpose_conv_forms():
    def model(made, activation=0, weights=(3, 3, 3, 2)):
        builder = ModelBuilder()
        one, other = builder.tensor((1, 3, 4, 2), 0.1), builder.tensor(made, 0.1)
        shape = builder.constant(np.array(made, np.int32))
        kernel = builder.constant(np.zeros(weights, np.int8), 0.1)
        options = {"strideH": 2, "strideW": 2, "fusedActivationFunction": activation}
        builder.op("TRANSPOSE_CONV", [shape, kernel, one], [other], "TransposeConvOptions", **options)
        return builder, one, other

    assert "fused activation 1" in refusal(*model((1, 6, 8, 3), activation=1))
    assert "weights of int8, (3, 3, 3, 4)" in refusal(*model((1, 6, 8, 3), weights=(3, 3, 3, 4)))
    assert "goes from" in refusal(*model((2, 6, 8, 3)))


def test_resize_that_tflite_micro_takes_beyond_the_picture():
    builder = ModelBuilder()
    one, other = builder.tensor((1, 1, 1, 2), 0.1), builder.tensor((1, 97, 1, 2), 0.1)
    size = builder.constant(np.array([97, 1], np.int32))
    builder.op("RESIZE_BILINEAR", [one, size], [other], "ResizeBilinearOptions")
    assert "from 1 to 97 rows" in refusal(builder, one, other)
