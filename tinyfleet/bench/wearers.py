"""Fleets of virtual watches: what each would report of its inputs, look by look, from real recordings.

A look is a number of ten-second sessions, each a real stretch of a recording of the watch's wearer. How
often a wearer does which exercise is drawn anew every day, so days differ; now and then a watch gets another
wearer. Only mean and spread of the channels are made: the server's own statistics come from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleet_server.drift import profile
from trainer.data.dataset import Dataset

Floats = NDArray[np.float64]


class Habits(NamedTuple):
    """How watches are worn."""

    sessions: int = 10
    """Of a look."""
    looks_a_day: int = 4
    turnover: float = 0.005
    """Chance that a watch has another wearer from one look to the next."""
    variety: float = 3.0
    """Concentration of the Dirichlet distribution that a day's mix of exercises is drawn from."""


class Wearer(NamedTuple):
    """One person and side: moments of sessions, by exercise."""

    moments: Floats
    """(sessions, 2, channels): mean and mean square."""
    begins: NDArray[np.int_]
    """(exercises + 1,): where each exercise's sessions begin."""


_SESSION_S = 10.0
_STEP_S = 2.0


def wearers(dataset: Dataset, turn: Floats | None = None) -> list[Wearer]:
    """Of all groups and sessions; ``turn`` (channels, channels) is what the sensor's mounting does."""
    rate = dataset.schema.rate_hz or 1.0
    length, step = int(_SESSION_S * rate), int(_STEP_S * rate)
    found: dict[tuple[str, str], list[Floats]] = {}
    for recording in dataset.recordings:
        values = recording.samples.astype(np.float64)
        values = values if turn is None else values @ turn.T
        starts = range(0, max(1, len(values) - length + 1), step)
        pieces = [values[start : start + length] for start in starts]
        moments = np.array([[piece.mean(axis=0), np.square(piece).mean(axis=0)] for piece in pieces])
        found.setdefault((recording.group, recording.session), []).append(moments)
    return [
        Wearer(np.concatenate(parts), np.cumsum([0, *(len(part) for part in parts)]))
        for _, parts in sorted(found.items())
    ]


class Plant(NamedTuple):
    """A change that is planted: these watches are worn so from that look on."""

    wearers: list[Wearer]
    """The same people in the same order, as the sensor now gives them."""
    look: int
    devices: frozenset[int]


def reports(
    rng: np.random.Generator,
    people: list[Wearer],
    devices: int,
    looks: int,
    habits: Habits,
    plant: Plant | None = None,
) -> Floats:
    """(devices, looks, p): the statistics that the server would take from each look."""
    found = np.empty((devices, looks, 2, people[0].moments.shape[2]))
    for device in range(devices):
        for begin, end, who in _tenures(rng, len(people), looks, habits.turnover):
            mix = _mixes(rng, len(people[who].begins) - 1, end - begin, habits)
            places = _places(rng, people[who], mix, habits.sessions)
            found[device, begin:end] = people[who].moments[places].mean(axis=1)
            if plant is not None and device in plant.devices and end > plant.look:
                late = max(begin, plant.look)
                turned = plant.wearers[who].moments[places[late - begin :]]
                found[device, late:end] = turned.mean(axis=1)
    mean, square = found[:, :, 0], found[:, :, 1]
    std = np.sqrt(np.maximum(square - np.square(mean), 0.0))
    return profile.inputs(mean, std)


def remounted(degrees: float, axis: str, channels: int = 6) -> Floats:
    """Rotation of an accelerometer's and a gyroscope's axes alike, about x, y or z; (channels, channels)."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn = np.eye(channels)
    for base in range(0, channels, 3):
        a, b = base + first, base + second
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = cos, -sin, sin, cos
    return turn


def scaled(gains: Mapping[int, float], channels: int = 6) -> Floats:
    """Gains of some channels."""
    turn = np.eye(channels)
    for channel, gain in gains.items():
        turn[channel, channel] = gain
    return turn


def _tenures(
    rng: np.random.Generator, people: int, looks: int, turnover: float
) -> list[tuple[int, int, int]]:
    """Begin, end and wearer of each stretch."""
    stretches, at = [], 0
    while at < looks:
        length = int(rng.geometric(turnover)) if turnover else looks
        stretches.append((at, min(looks, at + length), int(rng.integers(people))))
        at += length
    return stretches


def _mixes(rng: np.random.Generator, exercises: int, looks: int, habits: Habits) -> Floats:
    days = -(-looks // habits.looks_a_day)
    drawn = rng.dirichlet(np.full(exercises, habits.variety), days)
    return np.repeat(drawn, habits.looks_a_day, axis=0)[:looks]


def _places(rng: np.random.Generator, wearer: Wearer, mix: Floats, sessions: int) -> NDArray[np.int_]:
    """(looks, sessions): which sessions make up looks with these mixes (looks, exercises)."""
    drawn = rng.random((len(mix), sessions, 1))
    exercise = (drawn > np.cumsum(mix, axis=1)[:, None, :-1]).sum(axis=2)
    lengths = np.diff(wearer.begins)
    found: NDArray[np.int_] = wearer.begins[exercise] + (
        rng.random(exercise.shape) * lengths[exercise]
    ).astype(np.int_)
    return found
