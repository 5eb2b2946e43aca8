"""Whole models: a third party's, a net of the usual kind, and random graphs, on the emulated cores."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given

from tests.firmware_sim.bench import check
from tests.firmware_sim.mobile_net import mobile_net
from tests.firmware_sim.oracle import Oracle
from tests.models.random_models import graphs

ALL_BOARDS = ("rpi-pico", "nano33ble", "nucleo-l4r5zi", "nucleo-u575zi")
RESNET = "ic/pretrainedResnet_quant.tflite"


@pytest.mark.parametrize("board", ALL_BOARDS)
def test_resnet_gives_the_bytes_of_tflm(oracle: Oracle, shared_models: Path, board: str) -> None:
    model = (shared_models / RESNET).read_bytes()
    image = check(model, oracle, 20, (board,))
    assert image.ops.count("ADD") == 3


@pytest.mark.parametrize("seed", range(4))
def test_inverted_residuals_with_attention_and_branches_give_the_bytes_of_tflm(
    oracle: Oracle, seed: int
) -> None:
    image = check(mobile_net(Random(seed)), oracle, 5, ALL_BOARDS)
    assert {"DEPTHWISE_CONV_2D", "MEAN", "LOGISTIC", "MUL", "ADD", "CONCATENATION"} <= set(image.ops)


@given(graphs(8))
def test_random_graphs_give_the_bytes_of_tflm(oracle: Oracle, model: bytes) -> None:
    check(model, oracle)
