"""What a fleet would report: real answers to real people, replayed by many devices in virtual time.

A device is one person. Every day it lives through as many recordings of that person as there are, drawn with
replacement and played whole: a block bootstrap (Künsch, "The Jackknife and the Bootstrap for General
Stationary Observations", Annals of Statistics 17, 1989), which keeps what makes the inferences of a device
dependent: the person, and the minutes of one exercise that go well or badly together. Latencies are
stretches of the measured sequence, from a place of each device's own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinyfleet.bench.subjects import Subjects
from wire.sketch import CONFIDENCE_BINS

CLASSES: Final = 7


class Lives(NamedTuple):
    """What happens to each device: (devices, inferences)."""

    person: NDArray[np.intp]
    """(devices,)."""
    moment: NDArray[np.intp]
    """Index of the recorded window."""
    latency_us: NDArray[np.float64]


class Answers(NamedTuple):
    """What a version answers in those lives: (devices, inferences)."""

    label: NDArray[np.int8]
    confidence: NDArray[np.float32]


class Reports(NamedTuple):
    """Telemetry of one version, a window of ``per_window`` inferences each: (devices, windows, ...)."""

    per_window: int
    correct: NDArray[np.int64]
    classes: NDArray[np.int64]
    """(devices, windows, CLASSES)."""
    confidence: NDArray[np.int64]
    """(devices, windows, CONFIDENCE_BINS)."""
    log_latency: NDArray[np.float64]
    """Natural logarithm of the window's 95th percentile, microseconds."""


def live(rng: np.random.Generator, data: Subjects, devices: int, inferences: int) -> Lives:
    """Draw the devices' people, days and latencies."""
    people = np.unique(data.subject).astype(np.intp)
    person = people[rng.integers(0, len(people), devices)]
    recordings = {p: _recordings(data, p) for p in people}
    moment = np.stack([_life(rng, recordings[p], inferences) for p in person])
    start = rng.integers(0, len(data.latency_us), devices)
    places = (start[:, np.newaxis] + np.arange(inferences)) % len(data.latency_us)
    return Lives(person, moment, data.latency_us[places].astype(np.float64))


def answer(data: Subjects, lives: Lives, version: int) -> Answers:
    """What a recorded version answers; ``version`` is a row of the data."""
    return Answers(data.answer[version][lives.moment], data.confidence[version][lives.moment])


def worsen(
    rng: np.random.Generator, data: Subjects, lives: Lives, answers: Answers, points: float, since: int = 0
) -> Answers:
    """The same answers, but ``points`` of accuracy fewer on average, from inference ``since`` on.

    Correct answers are replaced by wrong ones of the same person, with their labels and confidences.
    """
    right = answers.label == data.label[lives.moment]
    rate = points / right[:, since:].mean()
    wrong = right & (rng.random(right.shape) < rate)
    wrong[:, :since] = False
    label, confidence = answers.label.copy(), answers.confidence.copy()
    for person in np.unique(lives.person):
        mine = wrong & (lives.person == person)[:, np.newaxis]
        pool = np.flatnonzero((data.subject == person) & (data.answer[-1] != data.label))
        chosen = pool[rng.integers(0, len(pool), int(mine.sum()))]
        label[mine] = data.answer[-1][chosen]
        confidence[mine] = data.confidence[-1][chosen]
    # A borrowed answer may happen to be this moment's true one.
    lucky = wrong & (label == data.label[lives.moment])
    label[lucky] = (label[lucky] + 1) % CLASSES
    return Answers(label, confidence)


def report(data: Subjects, lives: Lives, answers: Answers, per_window: int, slowdown: float = 1.0) -> Reports:
    """Sum the answers up in windows."""
    devices, inferences = lives.moment.shape
    windows = inferences // per_window
    shape = (devices, windows, per_window)
    right = (answers.label == data.label[lives.moment]).reshape(shape)
    bins = np.clip((answers.confidence * CONFIDENCE_BINS).astype(np.int64), 0, CONFIDENCE_BINS - 1)
    rank = int(0.95 * (per_window - 1))
    slowest = np.partition(lives.latency_us.reshape(shape), rank, axis=2)[:, :, rank]
    return Reports(
        per_window,
        right.sum(axis=2),
        _histogram(answers.label.astype(np.int64).reshape(shape), CLASSES),
        _histogram(bins.reshape(shape), CONFIDENCE_BINS),
        np.log(slowest * slowdown),
    )


def _recordings(data: Subjects, person: int) -> list[NDArray[np.intp]]:
    mine = np.flatnonzero(data.subject == person)
    return [mine[data.recording[mine] == each] for each in np.unique(data.recording[mine])]


def _life(rng: np.random.Generator, recordings: list[NDArray[np.intp]], inferences: int) -> NDArray[np.intp]:
    """Days one after the other; the first one begins at any moment of it."""
    day = sum(map(len, recordings))
    skip = int(rng.integers(0, day))
    moments: list[NDArray[np.intp]] = []
    length = 0
    while length < inferences + skip:
        for index in rng.integers(0, len(recordings), len(recordings)):
            moments.append(recordings[index])
            length += len(recordings[index])
    return np.concatenate(moments)[skip : skip + inferences]


def _histogram(values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Counts along the last axis: (devices, windows, size)."""
    devices, windows, per_window = values.shape
    cell = np.repeat(np.arange(devices * windows), per_window) * size + values.reshape(-1)
    return np.bincount(cell, minlength=devices * windows * size).reshape(devices, windows, size)
