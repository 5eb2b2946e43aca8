"""A whole rollout in virtual time: the server's own engine and gates, over streams of real answers.

Devices report one window after the other, each at its own moment of it, and the gates look after every
single report. What is virtual is the clock, and the network: devices download and install in no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fleet_server import rollout_commands
from fleet_server.draw import Candidate, draw
from fleet_server.gates.evidence import Broke, Compared, Evidence, Failed
from fleet_server.gates.judgement import judge
from fleet_server.gates.metric import GateName
from fleet_server.gates.observation import Panel, observe
from fleet_server.gates.verdict import Verdict
from fleet_server.rollout import advance
from fleet_server.rollout_policy import Policy
from fleet_server.rollout_state import Action, Arm, Assign, Fact, Restore, Rollout, Settle, create
from wire.messages import ModelRef
from wire.states import UNSUCCESSFUL, RolloutState, UpdateState

#: Length of a telemetry window, virtual seconds.
WINDOW_S: Final = 600.0
_BUNDLE: Final = ModelRef(model="watch", version=2, digest="0" * 64)
#: The engine moves one step a tick: so often in a row it has nothing left to do.
_TICKS: Final = 6


class Series(NamedTuple):
    """A metric of every device in every window: weighted sums and weights, (devices, windows)."""

    totals: NDArray[np.float64]
    weights: NDArray[np.float64]


class World(NamedTuple):
    """What every device would report in every window, with either version."""

    old: dict[GateName, Series]
    new: dict[GateName, Series]
    baseline: dict[GateName, NDArray[np.float64]]
    """Mean of each device before the rollout, with the old version."""
    bricks: NDArray[np.bool_]
    """Devices that the new version silences for ever."""
    phase: NDArray[np.float64]
    """When in a window each device reports, in [0, 1)."""


class Ending(NamedTuple):
    """How a rollout ended."""

    state: RolloutState
    reason: str
    exposed: int
    """Devices that were told to run the new version."""
    seconds: float
    """Virtual, from the first device that was told."""


class Judge:
    """What a stop is decided by: here the product's gates."""

    def __init__(self, policy: Policy) -> None:
        self._gates = policy.gates

    def verdicts(self, panels: dict[GateName, Panel], failures: Failed) -> list[Verdict]:
        """Of one look."""
        evidence: list[Evidence] = [failures, Broke("crashes", ())]
        evidence += [
            Compared(name, observe(panel, self._gates.min_inferences)) for name, panel in panels.items()
        ]
        return [*judge(self._gates, evidence)]


class VirtualRollout:
    """One rollout over a world."""

    def __init__(self, number: int, policy: Policy, world: World, judge: Judge) -> None:
        self._world = world
        self._judge = judge
        devices = len(world.phase)
        names = [f"d{index:05}" for index in range(devices)]
        self._row = {name: index for index, name in enumerate(names)}
        seats = draw(number, policy, [Candidate(name, True, frozenset()) for name in names])
        self._facts = {
            seat.device: Fact(device=seat.device, stage=seat.stage, arm=seat.arm) for seat in seats
        }
        self._rollout: Rollout = rollout_commands.start(create(number, _BUNDLE, policy), 0.0)
        self._since = np.full(devices, np.inf)
        """From when on each device runs the new version."""
        control = [self._row[fact.device] for fact in self._facts.values() if fact.arm is Arm.CONTROL]
        self._control = np.zeros(devices, np.bool_)
        self._control[control] = True
        self._failures = Failed("failures", 0, 0)
        self._reported: dict[GateName, Series] = {
            name: Series(np.zeros_like(series.totals), np.zeros_like(series.weights))
            for name, series in world.old.items()
        }

    def run(self, windows: int) -> Ending:
        """Until it ends, or ``windows`` are over."""
        order = np.argsort(self._world.phase)
        for window in range(windows):
            self._tick(window * WINDOW_S, self._look(window))
            if self._rollout.state not in (RolloutState.RUNNING, RolloutState.PAUSED):
                return self._ending(window * WINDOW_S)
            for device in order[self._reporting(window)[order]]:
                now = (window + self._world.phase[device]) * WINDOW_S
                self._report(int(device), window)
                failed = [v for v in self._look(window) if v.outcome == "fail"]
                if failed:
                    self._tick(now, failed)
                    return self._ending(now)
        return self._ending(windows * WINDOW_S)

    def _reporting(self, window: int) -> NDArray[np.bool_]:
        """Who reports in a window; the other devices' reports matter to nobody."""
        moment = (window + self._world.phase) * WINDOW_S
        released = self._rollout.stage.kind == "release"
        return (self._control & (not released)) | (moment > self._since)

    def _report(self, device: int, window: int) -> None:
        treated = np.isfinite(self._since[device])
        world = self._world.new if treated and not self._control[device] else self._world.old
        for metric, series in world.items():
            self._reported[metric].totals[device, window] = series.totals[device, window]
            self._reported[metric].weights[device, window] = series.weights[device, window]
        if treated:
            name = f"d{device:05}"
            self._facts[name] = msgspec.structs.replace(self._facts[name], observed=True)

    def _look(self, window: int) -> list[Verdict]:
        treated = np.isfinite(self._since) & ~self._control
        rows = np.flatnonzero(treated | self._control)
        stratum = np.zeros(len(rows), np.intp)
        panels = {
            name: Panel(
                series.totals[rows, : window + 1],
                series.weights[rows, : window + 1],
                treated[rows],
                self._world.baseline[name][rows],
                stratum,
            )
            for name, series in self._reported.items()
        }
        return self._judge.verdicts(panels, self._failures)

    def _tick(self, now: float, verdicts: Sequence[Verdict]) -> None:
        self._advance(now, verdicts)
        exposed = [fact for fact in self._facts.values() if fact.reached_at is not None]
        failed = sum(fact.state in UNSUCCESSFUL for fact in exposed)
        self._failures = Failed("failures", failed, len(exposed))

    def _advance(self, now: float, verdicts: Sequence[Verdict]) -> None:
        for _ in range(_TICKS):
            before = self._rollout
            self._rollout, actions = advance(before, list(self._facts.values()), verdicts, now)
            for action in actions:
                self._perform(action, now)
            if not actions and self._rollout == before:
                return

    def _perform(self, action: Action, now: float) -> None:
        fact = self._facts[action.device]
        match action:
            case Assign(device):
                row = self._row[device]
                brick = bool(self._world.bricks[row])
                state = UpdateState.TESTING if brick else UpdateState.CONFIRMED
                self._since[row] = np.inf if brick else now
                fact = msgspec.structs.replace(
                    fact, state=state, issued_at=now, reached_at=now, updated_at=now, attempts=1
                )
            case Settle(_, state):
                fact = msgspec.structs.replace(fact, state=state, reason="deadline", updated_at=now)
            case Restore():
                restored = UpdateState.ALREADY_INSTALLED
                fact = msgspec.structs.replace(fact, restored=restored, restore_issued_at=now)
        self._facts[action.device] = fact

    def _ending(self, now: float) -> Ending:
        exposed = sum(fact.state is not None for fact in self._facts.values())
        return Ending(self._rollout.state, self._rollout.reason, exposed, round(float(now), 1))
