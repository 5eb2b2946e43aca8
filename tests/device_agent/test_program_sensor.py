"""A live sensor is a program that prints windows; whatever it prints or does, the agent goes on."""

import asyncio
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from device_agent import program_sensor
from device_agent.program_sensor import ProgramSensor


def take(script: str, count: int, **how) -> tuple[ProgramSensor, list]:
    sensor = ProgramSensor([sys.executable, "-u", "-c", script], restart_s=(0.01, 0.02))

    async def collect() -> list:
        readings = sensor.readings()
        try:
            return [await anext(readings) for _ in range(count)]
        finally:
            await readings.aclose()

    return sensor, asyncio.run(asyncio.wait_for(collect(), 30))


def test_windows_and_labels_arrive_as_printed() -> None:
    script = """
import json, itertools
for i in itertools.count():
    print(json.dumps({"window": [[i, 0.5], [1, -2]], "label": i % 2}))
"""
    _, readings = take(script, 3)
    assert [reading.step for reading in readings] == [0, 1, 2]
    assert [reading.label for reading in readings] == [0, 1, 0]
    assert [reading.position for reading in readings] == [None] * 3
    np.testing.assert_array_equal(readings[2].window, np.array([[2, 0.5], [1, -2]], np.float32))


def test_what_is_no_window_is_counted_and_passed_over() -> None:
    script = """
import json, itertools
print("hello")
print('{"window": [[1, 2], [3]]}')
print('{"window": ["a"]}')
print('{"window": {}}')
for i in itertools.count():
    print(json.dumps({"window": [i]}))
"""
    sensor, readings = take(script, 2)
    assert [reading.window.tolist() for reading in readings] == [[0.0], [1.0]]
    assert sensor.rejected == 4


def test_a_program_that_ends_is_started_again_with_a_gap_between() -> None:
    sensor, readings = take("""print('{"window": [1]}')""", 3)
    assert sensor.starts == 3
    steps = [reading.step for reading in readings]
    assert all(later > earlier + 1 for earlier, later in itertools.pairwise(steps))


def test_a_line_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program_sensor, "MAX_LINE_BYTES", 4096)
    script = f"""
import os, sys
if os.path.exists({str(tmp_path / "second")!r}):
    print('{{"window": [7]}}')
else:
    open({str(tmp_path / "second")!r}, "w").close()
    sys.stdout.write("x" * 100000)
"""
    sensor, readings = take(script, 1)
    assert readings[0].window.tolist() == [7.0]
    assert sensor.starts == 2
