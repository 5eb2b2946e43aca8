"""Drift is what was asked for, reached step by step; labels stay, positions go."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from device_agent.sensor import Reading, Recording, ReplaySensor
from firmware_sim.worn_sensor import Wear, WornSensor

WINDOWS = np.random.default_rng(4).normal(size=(8, 5, 3)).astype(np.float32)


def worn(wear: Wear, count: int) -> list[Reading]:
    async def take() -> list[Reading]:
        sensor = WornSensor(ReplaySensor(Recording(np.arange(8), WINDOWS, np.arange(8)), 10_000.0), wear)
        taken: list[Reading] = []
        async with aclosing(sensor.readings()) as readings:
            async for reading in readings:
                taken.append(reading)
                if len(taken) == count:
                    return taken
        raise AssertionError("a sensor never ends")

    return asyncio.run(take())


def test_gain_and_offset_are_reached_in_even_steps() -> None:
    readings = worn(Wear(gain=0.5, offset=2.0, over=4), 6)
    for turn, reading in enumerate(readings):
        share = min(1.0, (turn + 1) / 4)
        np.testing.assert_allclose(reading.window, WINDOWS[turn] * (1 + 0.5 * share) + 2 * share, rtol=1e-5)
    assert [reading.label for reading in readings] == list(range(6))
    assert {reading.position for reading in readings} == {None}


@pytest.mark.parametrize("degrees", [30.0, 60.0, 90.0])
def test_a_turned_sensor_keeps_lengths_and_the_third_channel(degrees: float) -> None:
    before, after = WINDOWS[0], worn(Wear(rotate_deg=degrees), 1)[0].window
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1), rtol=1e-5)
    np.testing.assert_array_equal(after[:, 2], before[:, 2])
    cosine = (after[:, :2] * before[:, :2]).sum(1) / (before[:, :2] ** 2).sum(1)
    np.testing.assert_allclose(cosine, np.cos(np.radians(degrees)), atol=1e-5)


def test_the_recording_itself_is_left_alone() -> None:
    before = WINDOWS.copy()
    worn(Wear(gain=1.0, offset=1.0, rotate_deg=45.0), 3)
    np.testing.assert_array_equal(WINDOWS, before)


def test_wear_that_sets_in_later_leaves_a_gap_so_that_no_report_mixes_both() -> None:
    begun: list[bool] = []

    async def take() -> list[Reading]:
        replay = ReplaySensor(Recording(np.arange(8), WINDOWS, np.arange(8)), 10_000.0)
        taken: list[Reading] = []
        async with aclosing(WornSensor(replay, Wear(gain=1.0), lambda: bool(begun)).readings()) as readings:
            async for reading in readings:
                taken.append(reading)
                if len(taken) == 3:
                    begun.append(True)
                if len(taken) == 6:
                    return taken
        raise AssertionError("a sensor never ends")

    readings = asyncio.run(take())
    assert [reading.position for reading in readings] == [0, 1, 2, None, None, None]
    assert [reading.step for reading in readings] == [0, 1, 2, 4, 5, 6]
    np.testing.assert_array_equal(readings[2].window, WINDOWS[2])
    np.testing.assert_allclose(readings[3].window, WINDOWS[3] * 2, rtol=1e-6)
