"""A sensor that changes: its readings drift away from those that the model was trained on.

The replayed windows are real; what is done to them is stated, and labels stay with them, so that the
accuracy that a device reports is the accuracy it has.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from device_agent.sensor import Reading, Sensor


class Wear(NamedTuple):
    """What a sensor does in the end, reached in even steps over ``over`` readings."""

    gain: float = 0.0
    """Share by which every value grows."""
    offset: float = 0.0
    """Added to every value, in the recording's own units."""
    rotate_deg: float = 0.0
    """Turn of the first two channels about the third: a wrist strap that has slipped."""
    remount_deg: float = 0.0
    """Turn of every three channels (an accelerometer's, a gyroscope's) about their third: a sensor that was
    taken off and put back otherwise."""
    over: int = 1

    @property
    def any(self) -> bool:
        """Whether anything changes."""
        return bool(self.gain or self.offset or self.rotate_deg or self.remount_deg)

    def apply(self, window: NDArray[np.float32], taken: int) -> NDArray[np.float32]:
        """A window (..., channels), the ``taken``-th that the sensor gives, from 0."""
        share = min(1.0, (taken + 1) / self.over)
        worn = window * np.float32(1 + share * self.gain) + np.float32(share * self.offset)
        if self.rotate_deg and window.ndim and window.shape[-1] >= 2:
            worn[..., :2] = worn[..., :2] @ _turn(share * self.rotate_deg)
        if self.remount_deg and window.ndim:
            turn = _turn(share * self.remount_deg)
            for first in range(0, window.shape[-1] - 2, 3):
                worn[..., first : first + 2] = worn[..., first : first + 2] @ turn
        return worn.astype(np.float32)


def _turn(degrees: float) -> NDArray[np.float32]:
    """(2, 2)."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return turn.astype(np.float32)


def always() -> bool:
    """A sensor that wears from its first reading on."""
    return True


class WornSensor:
    """Another sensor's readings, worn. They have no position: the file does not hold them as they are."""

    def __init__(self, sensor: Sensor, wear: Wear, begun: Callable[[], bool] = always) -> None:
        """``begun`` says, reading by reading, whether the wear has set in."""
        self.stride = sensor.stride
        self._sensor = sensor
        self._wear = wear
        self._begun = begun

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """As many, at the same pace."""
        taken = 0
        async for reading in self._sensor.readings():
            if not self._begun():
                yield reading
                continue
            worn = self._wear.apply(reading.window, taken)
            # The step leaves a gap where the wear sets in: a telemetry window is of one kind of readings.
            yield reading._replace(step=reading.step + 1, window=worn, position=None)
            taken += 1
