"""What the inputs of one telemetry window looked like, summed up as they come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtimes import Int8
from wire.limits import MAX_CHANNELS
from wire.sketch import TENSOR_BINS, ChannelSketch, TensorSketch


class InputSums:
    """Of raw windows (..., channels), and of the int8 tensors that they became."""

    def __init__(self) -> None:
        self._samples = 0
        self._mean: NDArray[np.float64] | None = None
        self._m2: NDArray[np.float64] | None = None
        self._flat: NDArray[np.int64] | None = None
        self._values = 0
        self._histogram = np.zeros(TENSOR_BINS, np.int64)
        self._ends = np.zeros(2, np.int64)

    def add(self, window: NDArray[np.float32]) -> None:
        """One raw window; one with NaN or infinity says nothing of the channels."""
        if window.shape[-1] > MAX_CHANNELS or not np.isfinite(window).all():
            return
        samples = window.reshape(-1, window.shape[-1])
        # One row of a table has nothing that could move.
        flat = ((samples == samples[0]).all(axis=0) & (len(samples) > 1)).astype(np.int64)
        self._flat = flat if self._flat is None else self._flat + flat
        self._merge(samples.astype(np.float64))

    def add_tensor(self, tensor: Int8) -> None:
        """What the model was given, any shape."""
        bins = (tensor.astype(np.int64).ravel() + 128) // (256 // TENSOR_BINS)
        self._histogram += np.bincount(bins, minlength=TENSOR_BINS)
        self._ends += (np.count_nonzero(tensor == -128), np.count_nonzero(tensor == 127))
        self._values += tensor.size

    @property
    def channels(self) -> ChannelSketch:
        """Mean and spread of each channel."""
        if self._mean is None or self._m2 is None or self._flat is None:
            return ChannelSketch()
        flat = tuple(self._flat.tolist()) if self._flat.any() else ()
        return ChannelSketch(self._samples, tuple(self._mean.tolist()), tuple(self._m2.tolist()), flat)

    @property
    def tensor(self) -> TensorSketch | None:
        """Histogram and ends; None without any tensor."""
        if not self._values:
            return None
        low, high = self._ends.tolist()
        return TensorSketch(histogram=tuple(self._histogram.tolist()), low=low, high=high)

    def _merge(self, samples: NDArray[np.float64]) -> None:
        """Merge one window's moments (Chan, Golub & LeVeque, 1979), as ChannelSketch.merge does."""
        n = len(samples)
        mean = samples.mean(axis=0)
        m2 = np.square(samples - mean).sum(axis=0)
        if self._mean is None or self._m2 is None:
            self._samples, self._mean, self._m2 = n, mean, m2
            return
        total = self._samples + n
        delta = mean - self._mean
        self._m2 = self._m2 + m2 + np.square(delta) * (self._samples * n / total)
        self._mean = self._mean + delta * (n / total)
        self._samples = total
