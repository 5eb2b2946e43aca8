"""False alarms and delays of the server's own drift detector, over virtual fleets of real wearers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fleet_server.drift.cohort import outliers
from fleet_server.drift.detector import Detector, measure, step
from fleet_server.drift.policy import DriftPolicy
from fleet_server.drift.yardstick import Look
from tinyfleet.bench.wearers import Habits, Plant, Wearer, remounted, reports, scaled, wearers

Say = Callable[[str], None]
DEVICES: Final = 50
AFTER: Final = 120
"""Looks after the baseline: thirty days."""
POLICY: Final = DriftPolicy()
HABITS: Final = Habits()
_ONSET: Final = 40
"""Looks after the baseline until a planted change."""
_NAMED_WITHIN: Final = 12
"""Looks after the onset: devices that are named by then count."""


class Change(NamedTuple):
    """What happens to the sensors of a share of the devices."""

    share: float
    degrees: float = 0.0
    axis: str = "z"
    gain: float = 1.0

    @property
    def turn(self) -> NDArray[np.float64]:
        """(channels, channels)."""
        return remounted(self.degrees, self.axis) @ scaled({0: self.gain, 1: self.gain, 2: self.gain})


NONE: Final = "no drift"
CHANGES: Final = {
    "40 % of devices turned by 15 degrees": Change(0.4, 15),
    "40 % of devices turned by 30 degrees": Change(0.4, 30),
    "40 % of devices turned by 45 degrees": Change(0.4, 45),
    "40 % of devices turned by 60 degrees": Change(0.4, 60),
    "40 % of devices turned by 45 degrees about x": Change(0.4, 45, "x"),
    "40 % of devices turned by 45 degrees about y": Change(0.4, 45, "y"),
    "10 % of devices turned by 45 degrees": Change(0.1, 45),
    "40 % of accelerometers with gain 1.2": Change(0.4, gain=1.2),
    "all devices turned by 45 degrees": Change(1.0, 45),
}


class Case(NamedTuple):
    """One virtual fleet."""

    change: str
    seed: int


class Ending(NamedTuple):
    """What the detector said of it."""

    alarm: int | None
    """Looks after the baseline; None without an alarm."""
    changed: int
    """Devices said to have changed, counted once each time."""
    named: float
    """Of the devices that changed: the share that was found soon."""
    rightly: float
    """Of the devices found after the onset: the share that did change."""
    outliers: int
    """Devices said to be unlike all others after the baseline."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Fleets of one kind."""

    fleets: int
    alarms: float
    """Share of fleets with an alarm (with a change: after its onset)."""
    delay_looks_median: float | None
    named: float | None
    rightly: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything."""

    fleets: int
    devices: int
    looks: int
    seed: int
    alpha: float
    promised: float
    """At most so many of the fleets without drift have a false alarm within these looks."""
    false_alarm_rate: float
    changed_a_look: float
    """Share of devices said to have changed, in fleets without drift: turnover included."""
    turnover: float
    """What really has another wearer."""
    outlier_rate: float
    """Fleets without drift in which some device is said to be unlike all others."""
    detected: dict[str, Found]


def run(fleets: int, changed: int, seed: int, say: Say, processes: int) -> Report:
    """``fleets`` without drift, ``changed`` of each kind of change."""
    cases = [Case(NONE, seed + index) for index in range(fleets)]
    cases += [Case(name, seed + index) for name in CHANGES for index in range(changed)]
    endings: dict[str, list[Ending]] = {}
    for done, (case, ending) in enumerate(zip(cases, _endings(cases, processes), strict=True), start=1):
        endings.setdefault(case.change, []).append(ending)
        if done % max(1, len(cases) // 20) == 0:
            say(f"{done} of {len(cases)} fleets")
    calm = endings.pop(NONE)
    return Report(
        fleets=fleets,
        devices=DEVICES,
        looks=AFTER,
        seed=seed,
        alpha=POLICY.alpha,
        promised=min(1.0, AFTER * POLICY.alpha),
        false_alarm_rate=float(np.mean([ending.alarm is not None for ending in calm])),
        changed_a_look=float(np.mean([ending.changed for ending in calm])) / DEVICES / AFTER,
        turnover=HABITS.turnover,
        outlier_rate=float(np.mean([ending.outliers > 0 for ending in calm])),
        detected={name: _found(each) for name, each in endings.items()},
    )


def run_case(case: Case) -> Ending:
    """One fleet, through its baseline and AFTER looks more."""
    rng = np.random.default_rng([case.seed, len(case.change)])
    people = _people(1.0, 0.0, "z", 1.0)
    plant = None
    if case.change != NONE:
        change = CHANGES[case.change]
        hit = rng.choice(DEVICES, round(change.share * DEVICES), replace=False)
        turned = _people(*change)
        plant = Plant(turned, POLICY.baseline + _ONSET, frozenset(hit.tolist()))
    values = reports(rng, people, DEVICES, POLICY.baseline + AFTER, HABITS, plant)
    return examine(values, frozenset() if plant is None else plant.devices)


def examine(values: NDArray[np.float64], hit: frozenset[int]) -> Ending:
    """What the server's detector says of (devices, looks, p), ``hit`` being those that do change."""
    detector = Detector()
    alarm, changed = None, 0
    found: dict[int, int] = {}
    looks_s = POLICY.look_s
    for place in range(values.shape[1]):
        at = place * looks_s
        looks = {str(d): Look(at, at + looks_s, tuple(values[d, place].tolist())) for d in range(len(values))}
        after = step(detector, POLICY, measure(detector, POLICY), looks)
        detector, look = after.detector, place - POLICY.baseline
        changed += len(after.changed)
        for change in after.changed:
            if look >= _ONSET:
                found.setdefault(int(change.device), look)
        if after.drifting and alarm is None and (not hit or look >= _ONSET):
            alarm = look
    soon = {device for device, look in found.items() if look < _ONSET + _NAMED_WITHIN}
    usual = values[:, : POLICY.baseline].mean(axis=1)
    return Ending(
        alarm=alarm,
        changed=changed,
        named=len(soon & hit) / len(hit) if hit else 1.0,
        rightly=len(soon & hit) / len(soon) if soon else 1.0,
        outliers=len(outliers(usual)),
    )


def _found(endings: Sequence[Ending]) -> Found:
    delays = [ending.alarm - _ONSET + 1 for ending in endings if ending.alarm is not None]
    return Found(
        fleets=len(endings),
        alarms=len(delays) / len(endings),
        delay_looks_median=float(np.median(delays)) if delays else None,
        named=float(np.mean([ending.named for ending in endings])),
        rightly=float(np.mean([ending.rightly for ending in endings])),
    )


def _endings(cases: Sequence[Case], processes: int) -> Iterator[Ending]:
    if processes == 1:
        yield from map(run_case, cases)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_case, cases, chunksize=4)


@cache
def _people(_share: float, degrees: float, axis: str, gain: float) -> list[Wearer]:
    from trainer.data import watch

    return wearers(watch.load(), Change(_share, degrees, axis, gain).turn)
