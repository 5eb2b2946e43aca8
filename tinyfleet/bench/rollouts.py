"""Many virtual rollouts: how often a good version is stopped, and how soon a bad one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from fleet_server.gates.judgement import settings
from fleet_server.gates.policy import Comparison, Gates
from fleet_server.rollout_policy import Policy
from tinyfleet.bench import subjects
from tinyfleet.bench.others import FixedThreshold, RepeatedTest
from tinyfleet.bench.scenario import HARMLESS, SCENARIOS, Scenario, make_world
from tinyfleet.bench.virtual import WINDOW_S, Ending, Judge, VirtualRollout
from wire.errors import InputError
from wire.states import RolloutState

Method = Literal["gates", "fixed", "repeated"]
_JUDGES: Final[dict[Method, type[Judge]]] = {
    "gates": Judge,
    "fixed": FixedThreshold,
    "repeated": RepeatedTest,
}
_SOAK_WINDOWS: Final = 5
_WINDOWS: Final = 40
#: Stricter than the default. No loss of accuracy is tolerated: with a margin, false stops are rarer than
#: promised; and versions that are alike shall be as sure and give the same answers.
POLICY: Final = Policy(
    stages=(0.05, 0.25, 0.5, 1.0),
    control=0.2,
    soak_s=_SOAK_WINDOWS * WINDOW_S,
    deadline_s=2 * WINDOW_S,
    gates=Gates(
        accuracy=Comparison(margin=0.0, weight=4.0),
        confidence=Comparison(margin=0.1, side="both"),
        classes=Comparison(margin=0.15),
    ),
)
_STOPPED: Final = frozenset({RolloutState.ROLLING_BACK, RolloutState.STOPPED})
_MAX_REPORT_BYTES: Final = 64 * 1024 * 1024
Say = Callable[[str], None]


class Case(NamedTuple):
    """One rollout to be run."""

    scenario: Scenario
    method: Method
    seed: int
    devices: int


class Found(msgspec.Struct, frozen=True):
    """What became of many rollouts of one scenario."""

    runs: int
    rate: float
    """Share that was stopped."""
    exposed_median: float | None
    """Devices that had been told to take the version at the stop."""
    exposed_p90: float | None
    delay_s_median: float | None
    """Virtual seconds from the first device to the stop."""
    finish_s_median: float | None
    """Of those that went through."""
    reasons: dict[str, int]


def run_case(case: Case) -> Ending:
    """One rollout; the same case gives the same ending."""
    rng = np.random.default_rng([case.seed, SCENARIOS.index(case.scenario)])
    world = make_world(rng, _data(), case.scenario, case.devices, _WINDOWS)
    judge = _JUDGES[case.method](POLICY)
    return VirtualRollout(case.seed, POLICY, world, judge).run(_WINDOWS)


def run(cases: Sequence[Case], say: Say, processes: int) -> dict[tuple[str, Method], list[Ending]]:
    """All cases, by scenario and method."""
    endings: dict[tuple[str, Method], list[Ending]] = {}
    for done, (case, ending) in enumerate(zip(cases, _endings(cases, processes), strict=True), start=1):
        endings.setdefault((case.scenario.name, case.method), []).append(ending)
        if done % max(1, len(cases) // 20) == 0:
            say(f"{done} of {len(cases)} rollouts")
    return endings


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The document that ``tinyfleet bench rollout --json`` prints."""

    runs: int
    """Rollouts without a regression, judged by the gates."""
    devices: int
    seed: int
    alpha: float
    false_stop_rate: float
    drift_stop_rate: float
    """Of rollouts of a harmless version while every device gets worse."""
    detected: dict[str, Found]
    """By regression."""
    finished: dict[str, Found]
    """Of harmless versions."""
    baseline: dict[str, dict[str, Found]]
    """The same streams, by other methods: a fixed threshold of installs, and a test that is repeated."""
    endings: dict[str, list[tuple[int, float, str]]]
    """Of each scenario under the gates: devices exposed, virtual seconds, and the gate, or how it ended."""


def report(endings: dict[tuple[str, Method], list[Ending]], devices: int, seed: int) -> Report:
    """Everything that there is to tell."""
    by_gates = {
        s.name: summarise(endings[s.name, "gates"]) for s in SCENARIOS if (s.name, "gates") in endings
    }
    harmful = {scenario.name for scenario in SCENARIOS if scenario.harmful}
    return Report(
        runs=by_gates[HARMLESS.name].runs,
        devices=devices,
        seed=seed,
        alpha=POLICY.gates.alpha,
        false_stop_rate=by_gates[HARMLESS.name].rate,
        drift_stop_rate=by_gates["drift"].rate,
        detected={name: found for name, found in by_gates.items() if name in harmful},
        finished={name: found for name, found in by_gates.items() if name not in harmful},
        baseline={
            method: {name: summarise(each) for (name, by), each in endings.items() if by == method}
            for method in _JUDGES
            if method != "gates"
        },
        endings={
            name: [(each.exposed, each.seconds, _how(each)) for each in found]
            for (name, by), found in endings.items()
            if by == "gates"
        },
    )


def load(file: Path) -> Report:
    """A report that was saved; InputError when it is none."""
    try:
        with file.open("rb") as stream:
            return msgspec.json.decode(stream.read(_MAX_REPORT_BYTES), type=Report)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            "bad_report", f"cannot read {file}: {error}"[:200], "make one with --save"
        ) from error


def _how(ending: Ending) -> str:
    """The gate, ``max_failed`` for the hard limit, or the state of one that was not stopped."""
    if ending.state not in _STOPPED:
        return str(ending.state)
    gate = ending.reason.split(":")[0]
    return gate if gate in (*settings(POLICY.gates), "installs") else "max_failed"


def summarise(endings: Sequence[Ending]) -> Found:
    """Rates and medians."""
    stopped = [each for each in endings if each.state in _STOPPED]
    finished = [each.seconds for each in endings if each.state is RolloutState.FINISHED]
    gates = [_how(each) for each in stopped]
    return Found(
        runs=len(endings),
        rate=len(stopped) / len(endings),
        exposed_median=median(each.exposed for each in stopped) if stopped else None,
        exposed_p90=float(np.quantile([each.exposed for each in stopped], 0.9)) if stopped else None,
        delay_s_median=median(each.seconds for each in stopped) if stopped else None,
        finish_s_median=median(finished) if finished else None,
        reasons={gate: gates.count(gate) for gate in sorted(set(gates))},
    )


def plan(runs: int, harmful_runs: int, devices: int, seed: int) -> list[Case]:
    """``runs`` harmless rollouts, ``harmful_runs`` of each other scenario, each by every method."""
    cases = []
    for scenario in SCENARIOS:
        count = runs if scenario is HARMLESS else harmful_runs
        for method in _JUDGES:
            # The other methods need fewer to tell: their rates are far from alpha.
            of_method = count if method == "gates" else min(count, harmful_runs)
            cases += [Case(scenario, method, seed + index, devices) for index in range(of_method)]
    return cases


def _endings(cases: Sequence[Case], processes: int) -> Iterator[Ending]:
    if processes == 1:
        yield from map(run_case, cases)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_case, cases, chunksize=4)


@cache
def _data() -> subjects.Subjects:
    return subjects.load()
