"""How real answers vary, as Markdown tables for the documentation and as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tinyfleet.bench.axis import Axis
from tinyfleet.bench.picture import Bars, bar_chart
from tinyfleet.bench.spread import Description, recordings
from tinyfleet.bench.subjects import VERSIONS, Subjects

_ROWS: Final = {
    "accuracy of all windows": "accuracy",
    "standard deviation between subjects": "subject_sd",
    "standard deviation between a subject's recordings": "recording_sd",
    "difference between the arms, same subject and exercise": "arm_difference",
}
_CORRELATIONS: Final = {
    "intra-class correlation by subject": "icc_subject",
    "intra-class correlation by recording": "icc_recording",
}
_LAGGED: Final = {
    "autocorrelation about the mean of all": "autocorrelation",
    "about the recording's own mean": "autocorrelation_within",
}


def told(found: Description) -> str:
    """Everything."""
    head = (
        f"{found.windows:,} windows, {found.recordings} recordings, {found.subjects} subjects; "
        f"answers `{found.answers_sha256[:12]}`. Only `old` is right in {found.only_old_right:.1%} of the "
        f"windows, only `new` in {found.only_new_right:.1%}."
    )
    return "\n\n".join([head, _variation(found), _by_subject(found), _lags(found), _latency(found)])


def picture(data: Subjects) -> str:
    """Accuracy of each subject (bars) and of its recordings (dots), SVG."""
    names = [str(each) for each in dict.fromkeys(data.subject.tolist())]
    bars = []
    for version, name in enumerate(VERSIONS):
        owner, _, accuracy = recordings(data, version)
        right = data.answer[version] == data.label
        bars.append(
            Bars(
                name,
                [float(right[data.subject == int(each)].mean()) for each in names],
                [accuracy[owner == int(each)].tolist() for each in names],
            )
        )
    return bar_chart(
        "Accuracy on subjects that the model never saw",
        "subject; dots are its 14 recordings, in order of exercise",
        names,
        Axis("share of windows answered right", 0, 1, percent=True),
        bars,
    )


def _variation(found: Description) -> str:
    versions = found.versions.values()
    rows = [(title, *(f"{getattr(each, name):.1%}" for each in versions)) for title, name in _ROWS.items()]
    rows += [
        (title, *(f"{getattr(each, name):.3f}" for each in versions)) for title, name in _CORRELATIONS.items()
    ]
    return _markdown(("", *found.versions), rows)


def _by_subject(found: Description) -> str:
    subjects = next(iter(found.versions.values())).by_subject
    rows = [
        (f"accuracy, `{name}`", *(f"{each.by_subject[subject]:.3f}" for subject in subjects))
        for name, each in found.versions.items()
    ]
    return _markdown(("subject", *(str(subject) for subject in subjects)), rows)


def _lags(found: Description) -> str:
    rows = [
        (f"{title}, `{name}`", *(f"{value:.2f}" for value in getattr(each, field)))
        for title, field in _LAGGED.items()
        for name, each in found.versions.items()
    ]
    rows.append(("logarithm of latency", *(f"{value:.2f}" for value in found.latency.autocorrelation)))
    return _markdown(("lag", *(str(lag + 1) for lag in range(len(found.latency.autocorrelation)))), rows)


def _latency(found: Description) -> str:
    pace = found.latency
    row = (
        f"{pace.inferences:,}",
        *(f"{v:.1f}" for v in (pace.mean, pace.p50, pace.p95, pace.p99, pace.most)),
    )
    boards = [(name, f"{each / 1000:.3f}") for name, each in pace.boards.items()]
    return "\n\n".join(
        [
            _markdown(("inferences measured", "mean, us", "p50", "p95", "p99", "most"), [row]),
            _markdown(("board, emulated", "ms, estimated"), boards),
        ]
    )


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
