"""The study in Optuna's storage: what to try next, and what came of what was tried.

TPE (Watanabe, arXiv:2304.11127; its multi-objective form, Ozaki et al., GECCO 2020) and not NSGA-II: it
learns from trials that were stopped before they were trained, because they broke a limit, and NSGA-II
learns from completed ones only, of which it wants a population of 50.

The sampler is seeded anew for every trial, by the search's seed and the number of trials that are
known. One trial at a time, a search that was killed and goes on therefore ends as one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import optuna
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState

from trainer.recipes.recipe import Recipe
from trainer.search.attempt import Finished
from trainer.search.defaults import Defaults
from trainer.search.measured import excess
from trainer.search.settings import Point, Settings
from trainer.search.storage import explained, opened

DONE: Final = (TrialState.COMPLETE, TrialState.PRUNED)
_OWNER, _FINISHED, _POINT = "owner", "finished", "point"
_STARTUP_TRIALS: Final = 8
"""Random ones before TPE has enough to go by."""


class Known(NamedTuple):
    """A trial that was finished."""

    number: int
    point: Point
    finished: Finished


class Study:
    """One study of one search, of which there may be others on other machines."""

    def __init__(self, settings: Settings, recipe: Recipe, storage: str, owner: str) -> None:
        """``storage`` is a database's URL or ``journal:PATH``; StoreError when it cannot be opened.

        ``owner`` is who is searching: of one owner there is only one process at a time.
        """
        self._settings, self._recipe, self._owner = settings, recipe, owner
        self._open: dict[int, Trial] = {}
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with explained(storage):
            directions = [StudyDirection.MAXIMIZE, *[StudyDirection.MINIMIZE] * len(settings.minimise)]
            self._study = optuna.create_study(
                study_name=settings.study_name,
                storage=opened(storage),
                directions=directions,
                load_if_exists=True,
            )
            if not self._study.user_attrs:
                self._study.set_user_attr("settings", msgspec.to_builtins(settings))

    def take_over(self) -> int:
        """Fail what a killed process of this owner left running, and try it again; how many there were."""
        lost = [
            trial
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if trial.user_attrs.get(_OWNER) == self._owner
        ]
        for trial in lost:
            if trial.params:
                self._study.enqueue_trial(trial.params, user_attrs={"again": trial.number})
            self._study.tell(trial.number, state=TrialState.FAIL)
        return len(lost)

    def begin_with_defaults(self) -> None:
        """Let the recipe's own defaults be the first trial: what a search has to beat."""
        if not self._study.get_trials(deepcopy=False):
            defaults = Defaults(self._recipe.complete(self._settings.fixed))
            self._point(defaults)
            self._study.enqueue_trial(defaults.params, skip_if_exists=True)

    def ask(self) -> tuple[int, Point]:
        """The next trial's number and what to try."""
        known = [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state in (*DONE, TrialState.RUNNING)
        ]
        self._study.sampler = optuna.samplers.TPESampler(
            seed=_seed(self._settings.seed, len(known)), n_startup_trials=_STARTUP_TRIALS
        )
        trial = self._study.ask()
        trial.set_user_attr(_OWNER, self._owner)
        point = self._point(trial)
        trial.set_user_attr(_POINT, msgspec.to_builtins(point))
        self._open[trial.number] = trial
        return trial.number, point

    def _point(self, trial: Trial | Defaults) -> Point:
        hyper = self._recipe.space(trial)
        preparing, quantising = self._settings.preprocessing, self._settings.quantisations
        if len(preparing) > 1:
            hyper["preprocessing"] = trial.suggest_categorical("preprocessing", list(preparing))
        chosen: str = quantising[0]
        if len(quantising) > 1:
            chosen = trial.suggest_categorical("quantisation", list(quantising))
        hyper |= self._settings.fixed
        self._recipe.complete(hyper)
        return msgspec.convert({"hyperparameters": hyper, "quantisation": chosen}, Point)

    def tell(self, number: int, finished: Finished) -> None:
        """Store what came of a trial, with by how much it broke which limit."""
        trial = self._open.pop(number)
        trial.set_user_attr(_FINISHED, msgspec.to_builtins(finished))
        measured = finished.trained or finished.untrained
        broken = {"runs": 1.0} if measured is None else excess(measured, self._settings.limits)
        for name, value in broken.items():
            trial.set_constraint(name, value)
        values = self._values(finished)
        if values is None:
            self._study.tell(number, state=TrialState.PRUNED)
        else:
            self._study.tell(number, values)

    def _values(self, finished: Finished) -> list[float] | None:
        """Objectives; None for what was not trained."""
        measured = finished.trained
        if measured is None or measured.accuracy_int8 is None:
            return None
        costs = [measured.cost(name) for name in self._settings.minimise]
        known = [_resolved(cost) for cost in costs if cost is not None]
        return [measured.accuracy_int8, *known] if len(known) == len(costs) else None

    def fail(self, number: int) -> None:
        """A trial of which nothing is known."""
        self._open.pop(number)
        self._study.tell(number, state=TrialState.FAIL)

    def count(self, *states: TrialState) -> int:
        """Trials in any of ``states``, by whomever."""
        return len(self._study.get_trials(deepcopy=False, states=states))

    def known(self) -> Iterator[Known]:
        """All that were finished, by whomever, in the order that they were begun."""
        for trial in self._study.get_trials(deepcopy=False, states=DONE):
            attrs = trial.user_attrs
            yield Known(
                trial.number,
                msgspec.convert(attrs[_POINT], Point),
                msgspec.convert(attrs[_FINISHED], Finished),
            )

    def front(self) -> set[int]:
        """Numbers of the feasible trials that no other one beats in everything (Optuna's own word)."""
        return {trial.number for trial in self._study.best_trials}


def _resolved(cost: float) -> float:
    """Three digits: what is learnt moves the fourth, and that is no reason to be on the front."""
    return float(f"{cost:.3g}")


def _seed(seed: int, known: int) -> int:
    """A seed of 32 bits of its own for every trial."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{known}".encode()).digest()[:4])
