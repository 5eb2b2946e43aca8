"""Mergeable summaries of what a device saw, small enough for one MQTT message.

Latency buckets are ``floor(10 * ln(microseconds))``: each is 10.5 % wide, so a quantile read at a
bucket's midpoint is within 5.2 % (exp(0.05)) of the true one, and adding two sketches is adding their counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec

from wire.errors import WireError
from wire.limits import MAX_CHANNELS

BUCKETS_PER_E: Final = 10
MAX_BUCKET: Final = 250
"""floor(10 ln(us)) of 20 hours: no inference takes longer."""
CONFIDENCE_BINS: Final = 10
TENSOR_BINS: Final = 16
"""Of int8: each 16 values wide."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Bucket = Annotated[int, msgspec.Meta(ge=0, le=MAX_BUCKET)]
Histogram = Annotated[dict[Bucket, Count], msgspec.Meta(max_length=MAX_BUCKET + 1)]


def latency_bucket(latency_us: float) -> int:
    """Bucket index of a latency in microseconds (anything below 1 us counts as 1 us)."""
    return min(MAX_BUCKET, int(BUCKETS_PER_E * math.log(max(1.0, latency_us))))


def bucket_midpoint_us(bucket: int) -> float:
    """Geometric midpoint of a latency bucket, microseconds."""
    return math.exp((bucket + 0.5) / BUCKETS_PER_E)


def latency_quantile_us(histogram: Mapping[int, int], q: float) -> float | None:
    """Quantile ``q`` in [0, 1] of a latency histogram in microseconds; None when it is empty."""
    total = sum(histogram.values())
    if total == 0:
        return None
    rank = q * (total - 1)
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen > rank:
            return bucket_midpoint_us(bucket)
    return bucket_midpoint_us(max(histogram))  # above 2**53 the rank is rounded up to the total


def confidence_bin(confidence: float) -> int:
    """Which of the ten equal bins of [0, 1] a confidence falls in."""
    return min(CONFIDENCE_BINS - 1, max(0, int(confidence * CONFIDENCE_BINS)))


class ChannelSketch(msgspec.Struct, frozen=True):
    """Mean and spread of every input channel, in the sensor's own units.

    ``mean`` and ``m2`` (sum of squared deviations) follow Welford; two sketches merge by Chan,
    Golub & LeVeque, "Updating formulae and a pairwise algorithm" (1979).
    """

    n: Count = 0
    mean: Annotated[tuple[float, ...], msgspec.Meta(max_length=MAX_CHANNELS)] = ()
    m2: Annotated[
        tuple[Annotated[float, msgspec.Meta(ge=0)], ...], msgspec.Meta(max_length=MAX_CHANNELS)
    ] = ()
    flat: Annotated[tuple[Count, ...], msgspec.Meta(max_length=MAX_CHANNELS)] = ()
    """Windows in which a channel did not move at all; empty when every channel always did."""

    def __post_init__(self) -> None:
        """Decoding turns the ValueError into a WireError."""
        if len(self.mean) != len(self.m2) or len(self.flat) not in (0, len(self.mean)):
            raise ValueError("mean, m2 and flat are not of the same channels")

    @property
    def std(self) -> tuple[float, ...]:
        """Population standard deviation of each channel."""
        return tuple(math.sqrt(m2 / self.n) for m2 in self.m2) if self.n else ()

    def merge(self, other: ChannelSketch) -> ChannelSketch:
        """The sketch of both samples together; WireError when they are not of the same channels."""
        if self.n == 0 or other.n == 0:
            return self if other.n == 0 else other
        if len(self.mean) != len(other.mean):
            raise WireError(
                "wrong_channels",
                f"a sketch of {len(self.mean)} channels and one of {len(other.mean)} have no sum",
                "compare devices with the same sensor",
            )
        n = self.n + other.n
        delta = [b - a for a, b in zip(self.mean, other.mean, strict=True)]
        mean = tuple(a + d * other.n / n for a, d in zip(self.mean, delta, strict=True))
        m2 = tuple(
            a + b + d * d * self.n * other.n / n for a, b, d in zip(self.m2, other.m2, delta, strict=True)
        )
        return ChannelSketch(n, mean, m2, _added(self.flat, other.flat))


class TensorSketch(msgspec.Struct, frozen=True, kw_only=True):
    """The int8 values that a model was given, whichever channel they were of."""

    histogram: Annotated[tuple[Count, ...], msgspec.Meta(min_length=TENSOR_BINS, max_length=TENSOR_BINS)]
    """Bin k counts the values from 16 k - 128 to 16 k - 113."""
    low: Count
    """Of -128: what is below the range that the model was calibrated for becomes it."""
    high: Count
    """Of 127, likewise."""

    def merge(self, other: TensorSketch) -> TensorSketch:
        """The sketch of both samples together."""
        return TensorSketch(
            histogram=_added(self.histogram, other.histogram),
            low=self.low + other.low,
            high=self.high + other.high,
        )


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Counts of both; empty is zero of each."""
    if not one or not other:
        return one or other
    return tuple(a + b for a, b in zip(one, other, strict=True))


def sketch_channels(mean: Sequence[float], std: Sequence[float], n: int) -> ChannelSketch:
    """Sketch from per-channel mean and population standard deviation of ``n`` samples."""
    return ChannelSketch(n, tuple(mean), tuple(s * s * n for s in std))
