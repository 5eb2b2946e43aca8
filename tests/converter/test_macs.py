"""MACs by hand-computed layers, and against the published counts of MLPerf Tiny models."""

from math import prod
from pathlib import Path

import pytest

from converter import calibration, macs
from converter.flatbuffer import Graph, Model, Operator, Tensor, parse


def tensor(index: int, shape: tuple[int, ...]) -> Tensor:
    return Tensor(index=index, shape=shape, dtype="INT8", span=None, scales=(), zero_points=())


def layer(name: str, *shapes: tuple[int, ...]) -> macs.Work:
    """Work of one operator; the last shape is its output's."""
    tensors = tuple(tensor(index, shape) for index, shape in enumerate(shapes))
    last = len(shapes) - 1
    op = Operator(name, tuple(range(last)), (last,))
    return macs.count(Model((Graph(tensors, (op,), (0,), (last,), "in", "out"),), 0))


def test_convolutions():
    assert layer("CONV_2D", (1, 9, 9, 3), (8, 3, 3, 3), (1, 7, 7, 8)).conv == 49 * 8 * 27
    assert layer("CONV_2D", (1, 7, 7, 8), (4, 1, 1, 2), (1, 7, 7, 4)).conv == 49 * 4 * 2  # 4 groups of 2
    assert layer("DEPTHWISE_CONV_2D", (1, 7, 7, 8), (1, 3, 3, 8), (1, 5, 5, 8)).depthwise == 25 * 8 * 9
    assert layer("TRANSPOSE_CONV", (4,), (6, 2, 2, 5), (1, 4, 4, 5), (1, 8, 8, 6)).conv == 80 * 24


def test_matrix_products():
    assert layer("FULLY_CONNECTED", (1, 64), (10, 64), (10,), (1, 10)).dense == 640
    assert layer("FULLY_CONNECTED", (1, 5, 64), (10, 64), (1, 5, 10)).dense == 5 * 640
    assert layer("BATCH_MATMUL", (2, 3, 4), (2, 4, 5), (2, 3, 5)).dense == 2 * 3 * 4 * 5
    assert layer("BATCH_MATMUL", (2, 4, 3), (2, 4, 5), (2, 3, 5)).dense == 2 * 3 * 4 * 5  # given transposed
    assert layer("SVDF", (1, 16), (8, 16), (8, 10), (1, 8)).dense == 8 * 16 + 8 * 10


def test_lstm_has_eight_weights_in_every_step():
    shapes = [(1, 28, 20), *[(32, 20)] * 4, *[(32, 32)] * 4, (1, 28, 32)]
    assert layer("UNIDIRECTIONAL_SEQUENCE_LSTM", *shapes).dense == 28 * (4 * 32 * 20 + 4 * 32 * 32)


def test_other_operators_have_elements_and_no_macs():
    assert layer("AVERAGE_POOL_2D", (1, 8, 8, 4), (1, 1, 1, 4)) == macs.Work(elements=256)
    assert layer("ADD", (1, 8), (1, 8), (1, 8)) == macs.Work(elements=8)
    assert layer("RESHAPE", (1, 8), (2,), (2, 4)) == macs.Work()


@pytest.mark.parametrize(
    ("file", "name", "vela"),
    [
        ("kws/kws_ref_model.tflite", "kws", 2_664_792),
        ("ic/pretrainedResnet_quant.tflite", "ic", 12_505_748),
    ],
)
def test_vela_counts_pooling_and_softmax_too(shared_models: Path, file: str, name: str, vela: int):
    model = parse((shared_models / file).read_bytes())
    work = macs.count(model)
    graph = model.graphs[0]
    pooled = sum(
        prod(graph.tensors[op.inputs[0]].shape) for op in graph.operators if op.name == "AVERAGE_POOL_2D"
    )
    classes = prod(graph.tensors[graph.outputs[0]].shape)
    assert work.macs + pooled + 2 * classes == vela
    known = calibration.load().models[name]
    assert (known.conv, known.depthwise, known.dense, known.outputs) == (
        work.conv,
        work.depthwise,
        work.dense,
        work.outputs,
    )


def test_the_calibration_models_without_files_have_vela_counts_too():
    known = calibration.load().models
    assert known["ad"].macs == 264_192
    pooled, classes = 3 * 3 * 256, 2
    assert known["vww"].macs + pooled + 2 * classes == 7_491_972
