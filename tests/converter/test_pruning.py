"""Magnitude pruning, clusters, and noise in decibels, by hand."""

import numpy as np
import pytest

from converter.pruning import cluster, deflate_bytes, prune
from converter.sqnr import by_layer, sqnr_db


@pytest.fixture
def kernel():
    return np.random.default_rng(0).normal(0, 1, (3, 3, 4, 6)).astype(np.float32) * np.logspace(-2, 2, 6)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_the_smallest_magnitudes_become_zero(kernel, share: float):
    pruned = prune(kernel, share)
    assert (pruned == 0).sum() == round(share * kernel.size)
    if share:
        assert np.abs(pruned[pruned != 0]).min() >= np.abs(kernel[pruned == 0]).max()
    assert (pruned[pruned != 0] == kernel[pruned != 0]).all()


@pytest.mark.parametrize("count", [3, 4, 8, 16])
def test_clusters_are_few_after_int8_too(kernel, count: int):
    clustered = cluster(kernel.astype(np.float32), count)
    scale = np.abs(clustered).reshape(-1, 6).max(axis=0) / 127
    assert len(np.unique(np.rint(clustered / scale))) <= count
    assert scale * 127 == pytest.approx(np.abs(kernel).reshape(-1, 6).max(axis=0), rel=1e-6)


def test_more_clusters_are_nearer(kernel):
    kernel = kernel.astype(np.float32)
    errors = [
        np.square((cluster(kernel, k) - kernel) / kernel.std(axis=(0, 1, 2))).mean() for k in (4, 8, 16)
    ]
    assert errors == sorted(errors, reverse=True)


def test_zeros_stay_zero(kernel):
    pruned = prune(kernel, 0.5).astype(np.float32)
    assert (cluster(pruned, 6)[pruned == 0] == 0).all()
    assert (cluster(np.zeros((2, 3), np.float32), 4) == 0).all()


def test_deflate_bytes():
    assert deflate_bytes(bytes(10_000)) < 50


def test_decibels_of_a_uniform_quantiser_are_6_02_a_bit():
    x = np.linspace(-1, 1, 100_001)
    for bits in (4, 8):
        step = 2 / 2**bits
        assert sqnr_db(x, np.rint(x / step) * step) == pytest.approx(6.02 * bits, abs=0.1)


def test_layers_are_worst_first_and_matched_by_name():
    x = np.ones(10)
    signals = {"a;b": ("CONV_2D", x), "c": ("MEAN", x), "gone": ("ADD", x)}
    seen = {"a;b": ("CONV_2D", x * 0.9), "c": ("MEAN", x * 0.5), "new": ("QUANTIZE", x)}
    found = by_layer(signals, seen)
    assert [(layer.op, layer.tensor, layer.sqnr_db) for layer in found] == [
        ("MEAN", "c", 6.02),
        ("CONV_2D", "a", 20.0),
    ]
