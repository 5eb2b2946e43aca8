"""Sketches: they merge in any order, and tell quantiles within their bucket."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import WireError
from wire.messages import decode
from wire.sketch import (
    MAX_BUCKET,
    ChannelSketch,
    TensorSketch,
    bucket_midpoint_us,
    confidence_bin,
    latency_bucket,
    latency_quantile_us,
    sketch_channels,
)

HALF_BUCKET = math.exp(0.05) * (1 + 1e-9)
rows = st.lists(st.tuples(*[st.floats(-1e3, 1e3, width=32)] * 2), min_size=0, max_size=20)


def sketch(samples):
    if not samples:
        return ChannelSketch()
    data = np.array(samples, float)
    return sketch_channels(data.mean(0).tolist(), data.std(0).tolist(), len(data))


def same(a, b):
    assert a.n == b.n
    assert a.mean == pytest.approx(b.mean, rel=1e-6, abs=1e-6)
    assert a.m2 == pytest.approx(b.m2, rel=1e-6, abs=1e-3)


@given(a=rows, b=rows)
def test_merge_is_commutative_and_the_sketch_of_all(a, b):
    same(sketch(a).merge(sketch(b)), sketch(b).merge(sketch(a)))
    same(sketch(a).merge(sketch(b)), sketch(a + b))


@given(a=rows, b=rows, c=rows)
def test_merge_is_associative(a, b, c):
    a, b, c = sketch(a), sketch(b), sketch(c)
    same(a.merge(b).merge(c), a.merge(b.merge(c)))


def test_an_empty_sketch_changes_nothing():
    one = sketch([(1.0, 2.0), (3.0, 5.0)])
    assert one.merge(ChannelSketch()) == ChannelSketch().merge(one) == one
    assert one.std == pytest.approx((1.0, 1.5))
    assert ChannelSketch().std == ()


def test_sketches_of_different_sensors_have_no_sum():
    with pytest.raises(WireError) as caught:
        sketch([(1.0, 2.0)]).merge(ChannelSketch(1, (1.0,), (0.0,)))
    assert caught.value.code == "wrong_channels"


@pytest.mark.parametrize(
    "payload", [b"[1,[1],[1,2]]", b'{"n":1,"mean":[1],"m2":[]}', b'{"n":1,"mean":[1],"m2":[-1]}']
)
def test_threat_a_sketch_that_would_not_merge_is_refused(payload):
    with pytest.raises(WireError):
        decode(ChannelSketch, payload)


@given(latencies=st.lists(st.floats(1, 7e10), min_size=1, max_size=200), q=st.floats(0, 1))
def test_a_quantile_is_within_half_a_bucket(latencies, q):
    histogram: dict[int, int] = {}
    for latency in latencies:
        bucket = latency_bucket(latency)
        histogram[bucket] = histogram.get(bucket, 0) + 1
    true = sorted(latencies)[int(q * (len(latencies) - 1))]
    told = latency_quantile_us(histogram, q)
    assert 1 / HALF_BUCKET <= told / true <= HALF_BUCKET


@given(counts=st.dictionaries(st.integers(0, MAX_BUCKET), st.integers(0, 2**53)), q=st.floats(0, 1))
def test_any_histogram_has_a_quantile_or_none(counts, q):
    told = latency_quantile_us(counts, q)
    assert (told is None) == (sum(counts.values()) == 0)


def test_threat_huge_counts_have_a_maximum():
    assert latency_quantile_us({1: 2**53, 2: 2**53}, 1.0) == bucket_midpoint_us(2)


@given(a=st.floats(0, 1e12), b=st.floats(0, 1e12))
def test_buckets_are_in_order(a, b):
    low, high = sorted((a, b))
    assert 0 <= latency_bucket(low) <= latency_bucket(high) <= MAX_BUCKET


@pytest.mark.parametrize(("confidence", "expected"), [(-0.1, 0), (0.0, 0), (0.1, 1), (1.0, 9), (2.0, 9)])
def test_confidence_bins(confidence, expected):
    assert confidence_bin(confidence) == expected


counts = st.tuples(*[st.integers(0, 2**40)] * 16)


@given(a=counts, b=counts, ends=st.tuples(*[st.integers(0, 2**40)] * 4))
def test_tensor_sketches_merge_by_adding(a, b, ends):
    one = TensorSketch(histogram=a, low=ends[0], high=ends[1])
    other = TensorSketch(histogram=b, low=ends[2], high=ends[3])
    both = one.merge(other)
    assert both == other.merge(one)
    assert sum(both.histogram) == sum(a) + sum(b)
    assert (both.low, both.high) == (ends[0] + ends[2], ends[1] + ends[3])


def test_flat_windows_merge_with_sketches_that_had_none():
    moved = ChannelSketch(10, (0.0, 0.0), (1.0, 1.0))
    stuck = ChannelSketch(10, (0.0, 0.0), (1.0, 0.0), (0, 3))
    assert moved.merge(stuck).flat == stuck.merge(moved).flat == (0, 3)
    assert stuck.merge(stuck).flat == (0, 6)
    with pytest.raises(msgspec.ValidationError, match="not of the same channels"):
        msgspec.json.decode(b'{"n":1,"mean":[1.0],"m2":[0.0],"flat":[1,2]}', type=ChannelSketch)
