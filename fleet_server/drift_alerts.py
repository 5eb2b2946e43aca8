"""What drift detectors found, as alerts: which devices, since when, what changed and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, cast

import numpy as np
from sqlite_utils import Database

from fleet_server import alerts, drift_keeper
from fleet_server.alerts import Alert, AlertKind, Severity
from fleet_server.drift import statistics
from fleet_server.drift.statistics import Kind, Names
from fleet_server.drift_keeper import Examined
from fleet_server.store import first
from wire.manifest import decode_manifest

_TOLD: Final = 3
_SEVERITY: Final[Mapping[Kind, Severity]] = {
    "inputs": Severity.WARNING,
    "answers": Severity.WARNING,
    "accuracy": Severity.CRITICAL,
}
_WHAT: Final[Mapping[Kind, str]] = {
    "inputs": "{n} devices get other inputs than they used to",
    "answers": "{n} devices answer otherwise than they used to",
    "accuracy": "{n} devices are less often right than they used to be",
}
_ADVICE: Final = (
    "look at one of them: a sensor that was moved, another place, another use? "
    "If the world has changed, train for it: tinyfleet retrain --from-alert NUMBER"
)


def tell(db: Database, found: Examined, now: float) -> None:
    """Raise or refresh the alerts of one detector."""
    if found.step.drifting:
        alerts.raise_alert(db, now, _drift(db, found))
    if found.key.kind == "inputs":
        _tell_outliers(db, found, now)


def resolved(db: Database, key: str) -> None:
    """Somebody resolved the drift alert ``key``: only what changes from now on is drift again."""
    model, kind = key.rsplit("/", 1)
    drift_keeper.settle(db, model, cast(Kind, kind))


def _drift(db: Database, found: Examined) -> Alert:
    model, kind, _ = found.key
    recent = found.step.detector.recent
    what = _WHAT[kind].format(n=len(recent))
    changed = _changed(db, found)
    return Alert(
        kind=AlertKind.DRIFT,
        key=f"{model}/{kind}",
        severity=_SEVERITY[kind],
        subject=f"model {model}",
        message=f"{model}: {what}: {changed}"[:240],
        devices=tuple(recent),
        since=min(change.since for change in recent.values()),
        changed=changed,
        advice=_ADVICE,
    )


def _changed(db: Database, found: Examined) -> str:
    """The statistics that moved most, by the spread of devices that did not change."""
    recent = found.step.detector.recent
    moves = np.array([change.deviation for change in recent.values()])
    others = [w.baseline for d, w in found.step.detector.devices.items() if d not in recent and w.baseline]
    looks = np.array([look.values for baseline in others for look in baseline])
    usual = looks.mean(axis=0) if len(looks) else np.zeros(moves.shape[1])
    spread = looks.std(axis=0) + 1e-6 if len(looks) else np.ones(moves.shape[1])
    counted = Counter(int(place) for move in moves for place in np.argsort(-np.abs(move / spread))[:_TOLD])
    names = _names(db, found)
    told = []
    for place, _ in counted.most_common(_TOLD):
        move = float(np.median(moves[:, place]))
        before = float(usual[place])
        told.append(statistics.describe(found.key.kind, place, before, before + move, names))
    return "; ".join(told)


def _tell_outliers(db: Database, found: Examined, now: float) -> None:
    key = f"{found.key.model}/inputs"
    if not found.outliers:
        alerts.resolve(db, now, AlertKind.OUTLIER, key, "no device differs from the others any more")
        return
    names = _names(db, found)
    told = [
        f"{device}: {statistics.describe('inputs', o.statistic, o.median, o.value, names)}"
        for device, o in found.outliers[:_TOLD]
    ]
    changed = "; ".join(told).replace(" from ", ", others ").replace(" to ", ", it ")
    alert = Alert(
        kind=AlertKind.OUTLIER,
        key=key,
        severity=Severity.WARNING,
        subject=f"model {found.key.model}",
        message=f"{found.key.model}: {len(found.outliers)} devices were never like the others: {changed}"[
            :240
        ],
        devices=tuple(device for device, _ in found.outliers),
        changed=changed,
        advice="check mounting, unit and kind of the sensor on these devices",
    )
    alerts.raise_alert(db, now, alert)


def _names(db: Database, found: Examined) -> Names:
    """From the manifest of the version that most of the devices run."""
    digest, _ = Counter(found.digests.values()).most_common(1)[0]
    row = first(db, "SELECT manifest FROM versions WHERE digest = ?", (digest,))
    manifest = None if row is None else decode_manifest(row["manifest"].encode())
    channels = manifest.channels if manifest else []
    labels = manifest.labels if manifest else []
    return Names(channels, labels, found.key.kind, found.key.size)
