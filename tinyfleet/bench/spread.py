"""How real answers vary: between people, between a person's recordings, and from window to window."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinyfleet.bench.subjects import VERSIONS, Subjects

LAGS: Final = 10
Numbers = NDArray[Any]


class Variation(msgspec.Struct, frozen=True, kw_only=True):
    """Of one model's correctness; accuracies are shares."""

    accuracy: float
    """Of all windows alike."""
    by_subject: dict[int, float]
    subject_sd: float
    """Standard deviation of ``by_subject``."""
    recording_sd: float
    """Of the recordings' accuracies about their subject's mean recording, pooled over the subjects."""
    arm_difference: float
    """Between a subject's two recordings of one exercise, one for each arm: mean, without sign."""
    autocorrelation: tuple[float, ...]
    """Inside recordings, lags 1 to LAGS, about the mean of all; neighbours share half of their samples."""
    autocorrelation_within: tuple[float, ...]
    """The same about each recording's own mean; low by about one over a recording's length."""
    icc_subject: float
    """Intra-class correlation by subject."""
    icc_recording: float
    """By recording; what recordings of a subject have in common is part of it."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Of the latencies, microseconds."""

    inferences: int
    mean: float
    p50: float
    p95: float
    p99: float
    most: float
    autocorrelation: tuple[float, ...]
    """Of their logarithms, lags 1 to LAGS."""
    boards: dict[str, float]
    """Mean estimate of each emulated board."""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """All figures."""

    windows: int
    subjects: int
    recordings: int
    answers_sha256: str
    versions: dict[str, Variation]
    only_old_right: float
    only_new_right: float
    """Shares of windows: what the versions really disagree on."""
    latency: Pace


def describe(data: Subjects) -> Description:
    """Computed from the file, nothing else."""
    old, new = data.answer == data.label
    return Description(
        windows=len(data.label),
        subjects=len(np.unique(data.subject)),
        recordings=len(np.unique(data.recording)),
        answers_sha256=data.answers_sha256(),
        versions={name: _variation(data, version) for version, name in enumerate(VERSIONS)},
        only_old_right=float((old & ~new).mean()),
        only_new_right=float((new & ~old).mean()),
        latency=_pace(data),
    )


def means(group: Numbers, values: Numbers) -> tuple[Numbers, Numbers]:
    """Names of the groups, sorted, and the mean of each one's values."""
    names, member = np.unique(group, return_inverse=True)
    return names, np.bincount(member, values) / np.bincount(member)


def icc(group: Numbers, values: Numbers) -> float:
    """Share of the variance that lies between groups of unequal sizes, by one-way analysis of variance.

    A. Donner, "A review of inference procedures for the intraclass correlation coefficient in the
    one-way random effects model", International Statistical Review 54 (1986).
    """
    _, member, sizes = np.unique(group, return_inverse=True, return_counts=True)
    n, k = len(values), len(sizes)
    mean = np.bincount(member, values) / sizes
    between = float((sizes * (mean - values.mean()) ** 2).sum()) / (k - 1)
    within = float(((values - mean[member]) ** 2).sum()) / (n - k)
    size = (n - float((sizes**2).sum()) / n) / (k - 1)
    return (between - within) / (between + (size - 1) * within)


def autocorrelation(deviation: Numbers, group: Numbers, lags: int = LAGS) -> tuple[float, ...]:
    """Of values that follow each other inside groups; both (n,), each group in one piece."""
    variance = float((deviation**2).mean())
    found = []
    for lag in range(1, lags + 1):
        together = group[lag:] == group[:-lag]
        found.append(float((deviation[lag:] * deviation[:-lag])[together].mean()) / variance)
    return tuple(found)


def recordings(data: Subjects, version: int) -> tuple[Numbers, Numbers, Numbers]:
    """Subject, label and accuracy of each recording, ordered by subject and label."""
    names, accuracy = means(data.recording, data.answer[version] == data.label)
    _, first = np.unique(data.recording, return_index=True)
    subject, label = data.subject[first], data.label[first]
    order = np.lexsort((names, label, subject))
    return subject[order], label[order], accuracy[order]


def _variation(data: Subjects, version: int) -> Variation:
    right = data.answer[version] == data.label
    subjects, of_subject = means(data.subject, right)
    names, of_recording = means(data.recording, right)
    owner, _, accuracy = recordings(data, version)
    return Variation(
        accuracy=float(right.mean()),
        by_subject={int(name): float(mean) for name, mean in zip(subjects, of_subject, strict=True)},
        subject_sd=float(of_subject.std(ddof=1)),
        recording_sd=_pooled_sd(owner, accuracy),
        arm_difference=float(np.abs(np.diff(accuracy.reshape(-1, 2), axis=1)).mean()),
        autocorrelation=autocorrelation(right - right.mean(), data.recording),
        autocorrelation_within=autocorrelation(
            right - of_recording[np.searchsorted(names, data.recording)], data.recording
        ),
        icc_subject=icc(data.subject, right),
        icc_recording=icc(data.recording, right),
    )


def _pooled_sd(group: Numbers, values: Numbers) -> float:
    names, mean = means(group, values)
    squares = (values - mean[np.searchsorted(names, group)]) ** 2
    return float(np.sqrt(squares.sum() / (len(values) - len(names))))


def _pace(data: Subjects) -> Pace:
    took = data.latency_us.astype(np.float64)
    logs = np.log(took)
    p50, p95, p99 = np.quantile(took, (0.5, 0.95, 0.99))
    boards = zip(data.made["boards"], data.board_us, strict=True)
    return Pace(
        inferences=len(took),
        mean=float(took.mean()),
        p50=float(p50),
        p95=float(p95),
        p99=float(p99),
        most=float(took.max()),
        autocorrelation=autocorrelation(logs - logs.mean(), np.zeros(len(logs))),
        boards={name: float(each.mean(dtype=np.float64)) for name, each in boards},
    )
