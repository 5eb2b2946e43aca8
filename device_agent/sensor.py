"""Where raw windows come from. The replay sensor plays recorded ones at their real pace."""

from __future__ import annotations

import asyncio
import time
import zipfile
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wire.errors import InputError

_MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
#: Lateness after which the pace begins anew, instead of catching up in a burst (a suspended host).
_MAX_LATE_S: Final = 1.0


class Reading(NamedTuple):
    """One raw window."""

    step: int
    """Rises by one from a reading to its neighbour in the stream, by more where there is a gap."""
    position: int | None
    """Where it is in the replayed file; None for a live sensor."""
    window: NDArray[np.float32]
    label: int | None


class Sensor(Protocol):
    """A source of raw windows at its own pace."""

    stride: int
    """Step between the stream positions of consecutive readings."""

    def readings(self) -> AsyncGenerator[Reading, None]:
        """Endless; each window is there when it is due."""


class Recording(NamedTuple):
    """Recorded windows of some subjects, in the order of the file."""

    indices: NDArray[np.intp]
    """Where each is in the file."""
    windows: NDArray[np.float32]
    labels: NDArray[Any] | None
    wearers: NDArray[np.str_] | None = None
    """Group and session of each, where the file says."""


def load_recording(file: Path, groups: Sequence[int | str] = ()) -> Recording:
    """The windows of ``groups`` (all when empty) from an ``.npz`` with x, and perhaps y and group."""
    arrays = _read(file)
    if "x" not in arrays or arrays["x"].ndim < 2 or not len(arrays["x"]):
        raise InputError("bad_recording", f"{file} has no array x of shape (n, ...)", "use an eval.npz")
    x, y, group = arrays["x"], arrays.get("y"), arrays.get("group")
    if any(array is not None and len(array) != len(x) for array in (y, group, arrays.get("session"))):
        raise InputError(
            "bad_recording", f"x, y, group and session of {file} differ in length", "use an eval.npz"
        )
    if groups and group is None:
        raise InputError("bad_recording", f"{file} has no array group to choose by", "leave groups out")
    chosen = np.isin(group.astype(str), [str(g) for g in groups]) if groups and group is not None else None
    indices = np.arange(len(x)) if chosen is None else np.flatnonzero(chosen)
    if not len(indices):
        raise InputError("no_windows", f"{file} has no windows of groups {list(groups)}", "choose others")
    # Without a choice these stay views, so that many devices share one copy.
    pick = slice(None) if chosen is None else indices
    wearers = _wearers(group, arrays.get("session"))
    return Recording(
        indices,
        x.astype(np.float32, copy=False)[pick],
        None if y is None else y[pick],
        None if wearers is None else wearers[pick],
    )


def by_wearer(recording: Recording) -> list[Recording]:
    """One recording a group and session; InputError when the file does not say whose windows they are."""
    if recording.wearers is None:
        raise InputError("bad_recording", "the data has no array group", "use an eval.npz")
    found = []
    for wearer in np.unique(recording.wearers):
        mine = np.flatnonzero(recording.wearers == wearer)
        labels = None if recording.labels is None else recording.labels[mine]
        found.append(Recording(recording.indices[mine], recording.windows[mine], labels))
    return found


def _wearers(group: NDArray[Any] | None, session: NDArray[Any] | None) -> NDArray[np.str_] | None:
    if group is None:
        return None
    names = group.astype(str)
    return names if session is None else np.char.add(np.char.add(names, "/"), session.astype(str))


class ReplaySensor:
    """Plays a recording from ``start``, every ``stride``-th window, round and round."""

    def __init__(self, recording: Recording, rate_hz: float, start: int = 0, stride: int = 1) -> None:
        self.stride = stride
        self._recording = recording
        self._period_s = 1.0 / rate_hz
        self._start = start

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """One reading a period by absolute deadlines, so that the pace does not drift."""
        taken = step = 0
        due = time.monotonic()
        while True:
            reading = self._reading(taken, step)
            yield reading
            taken += 1
            # Where the recording starts anew, or has a gap, there is a gap between the steps as well.
            step += 1 if self._position(taken) == (reading.position or 0) + self.stride else 2
            due += self._period_s
            now = time.monotonic()
            if now - due > _MAX_LATE_S:
                due = now
            await asyncio.sleep(max(0.0, due - now))

    def _position(self, taken: int) -> int:
        """Where in the file the reading after ``taken`` others is."""
        indices = self._recording.indices
        return int(indices[(self._start + taken * self.stride) % len(indices)])

    def _reading(self, taken: int, step: int) -> Reading:
        recording = self._recording
        chosen = (self._start + taken * self.stride) % len(recording.indices)
        label = None if recording.labels is None else int(recording.labels[chosen])
        return Reading(step, self._position(taken), recording.windows[chosen], label)


def _read(file: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _MAX_FILE_BYTES:
            raise InputError("oversize", f"{file} unpacks to {size} bytes, over {_MAX_FILE_BYTES}", "cut it")
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in ("x", "y", "group", "session") if name in arrays}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError("bad_recording", f"cannot read {file}: {error}", "give an .npz file") from error
