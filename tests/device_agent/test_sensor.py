from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from device_agent.sensor import Reading, ReplaySensor, load_recording
from wire.errors import InputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    x = np.arange(10, dtype=np.float32).reshape(10, 1, 1)
    np.savez(tmp_path / "eval.npz", x=x, y=np.arange(10) + 100, group=np.arange(10) % 3)
    return tmp_path / "eval.npz"


async def take(sensor: ReplaySensor, count: int) -> list[Reading]:
    taken = []
    async for reading in sensor.readings():
        taken.append(reading)
        if len(taken) == count:
            return taken
    raise AssertionError("a sensor never ends")


def test_positions_are_those_of_the_file_and_wrap_around(file: Path) -> None:
    recording = load_recording(file, groups=[1, "2"])
    readings = asyncio.run(take(ReplaySensor(recording, 1000, start=4, stride=3), 4))
    chosen = [1, 2, 4, 5, 7, 8]
    assert [r.position for r in readings] == [chosen[i] for i in (4, 1, 4, 1)]
    assert [float(r.window[0, 0]) for r in readings] == [r.position for r in readings]
    assert [r.label for r in readings] == [(r.position or 0) + 100 for r in readings]
    assert [r.step for r in readings] == [0, 2, 4, 6], "no two are neighbours in the file"


def test_the_pace_is_kept_without_drift(file: Path) -> None:
    sensor = ReplaySensor(load_recording(file), 50)
    start = time.monotonic()
    asyncio.run(take(sensor, 26))
    assert 0.5 <= time.monotonic() - start < 0.75


def test_without_a_choice_the_windows_are_shared_not_copied(file: Path) -> None:
    recording = load_recording(file)
    assert recording.windows.base is not None


@pytest.mark.parametrize("groups", [[99], ["a"]])
def test_groups_that_are_not_there(file: Path, groups: list[int | str]) -> None:
    with pytest.raises(InputError, match="no windows"):
        load_recording(file, groups)


@pytest.mark.parametrize(
    "arrays",
    [
        {"z": np.zeros(3)},
        {"x": np.zeros((0, 2))},
        {"x": np.zeros((3, 2)), "y": np.zeros(2)},
        {"x": np.array([{}, {}], object).reshape(2, 1)},
    ],
)
def test_bad_recordings_are_typed_errors(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError):
        load_recording(tmp_path / "bad.npz")


def test_a_file_that_is_no_npz(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04nonsense")
    with pytest.raises(InputError, match="cannot read"):
        load_recording(tmp_path / "bad.npz")
