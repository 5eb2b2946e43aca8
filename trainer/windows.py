"""Fixed-length windows cut from recordings; each keeps its group, so that splits can be honest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import Dataset
from wire.errors import InputError


@dataclass(frozen=True)
class Windows:
    """n windows of raw sensor values."""

    x: NDArray[np.float32]
    """(n, length, channels)."""
    y: NDArray[np.int64]
    """(n,), class index."""
    group: NDArray[np.str_]
    """(n,)."""
    session: NDArray[np.str_]
    """(n,), of the group."""

    def __len__(self) -> int:
        return len(self.y)

    def of_groups(self, groups: Sequence[str]) -> NDArray[np.intp]:
        """Indices of the windows of these groups, in order."""
        return np.flatnonzero(np.isin(self.group, list(groups)))

    def take(self, indices: NDArray[np.intp]) -> Windows:
        """The windows at ``indices``."""
        return Windows(self.x[indices], self.y[indices], self.group[indices], self.session[indices])


def cut(dataset: Dataset, length: int, stride: int) -> Windows:
    """Windows of ``length`` samples every ``stride`` samples; none spans two recordings."""
    pieces = [
        (recording.samples[start : start + length], recording.label, recording.group, recording.session)
        for recording in dataset.recordings
        for start in range(0, len(recording.samples) - length + 1, stride)
    ]
    if not pieces:
        raise InputError("too_short", f"no recording has {length} samples", "choose shorter windows")
    x, y, group, session = zip(*pieces, strict=True)
    return Windows(np.stack(x), np.array(y, np.int64), np.array(group, np.str_), np.array(session, np.str_))
