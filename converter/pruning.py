"""Fewer distinct weights: zeros by magnitude, and clusters. Both make the file compress better.

Pruning: M. Zhu and S. Gupta, arXiv:1710.01878 (one shot, layer by layer; depthwise kernels are left
alone, 4.1). Clustering: S. Han, H. Mao and W. Dally, *Deep Compression*, ICLR 2016, on kernels divided by
their channels' largest magnitude, so that the clusters are still few after int8 has scaled each channel.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROUNDS: Final = 50
Kernel = NDArray[np.float32]


def deflate_bytes(model: bytes) -> int:
    """Size of the file when it travels compressed (RFC 1950, level 9)."""
    return len(zlib.compress(model, 9))


def prune(kernel: Kernel, sparsity: float) -> Kernel:
    """The kernel with ``round(sparsity * size)`` of its smallest magnitudes set to zero."""
    pruned = kernel.copy()
    count = round(sparsity * kernel.size)
    smallest = np.argsort(np.abs(kernel), axis=None, kind="stable")[:count]
    pruned.reshape(-1)[smallest] = 0.0
    return pruned


def cluster(kernel: Kernel, count: int) -> Kernel:
    """The kernel (..., channels) with ``count`` (3 or more) distinct multiples of each channel's reach.

    -1, 0 and 1 are always among them: int8 scales stay, and zeros stay zero.
    """
    reach = np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0)
    safe = np.where(reach > 0, reach, 1.0)
    shares = (kernel / safe).astype(np.float64)
    centres = _centres(shares[shares != 0], count)
    nearest = np.abs(shares.reshape(-1, 1) - centres).argmin(axis=1)
    near = centres[nearest].reshape(kernel.shape)
    clustered: Kernel = (np.where(shares == 0, 0.0, near) * safe).astype(np.float32)
    return clustered


def _centres(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Lloyd's algorithm in one dimension from even quantiles, three centres pinned."""
    pinned = np.array([-1.0, 0.0, 1.0])
    free = (
        np.quantile(values, (np.arange(count - 3) + 0.5) / max(1, count - 3)) if len(values) else pinned[:0]
    )
    for _ in range(_ROUNDS):
        centres = np.concatenate([pinned, free])
        nearest = np.abs(values[:, None] - centres).argmin(axis=1)
        moved = [
            values[nearest == 3 + k].mean() if (nearest == 3 + k).any() else free[k] for k in range(len(free))
        ]
        if np.array_equal(moved, free):
            break
        free = np.array(moved)
    return np.concatenate([pinned, free])
