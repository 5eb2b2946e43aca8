"""A search: trials side by side, each in a process of its own, until there are enough of them.

This process alone talks to the storage. One trial at a time is deterministic: same seed, same trials,
same weights. Several at a time are not: which is asked for next depends on which was finished first; what a
given trial's parameters lead to is deterministic all the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from optuna.trial import TrialState

from trainer import identity, preparing, run
from trainer.fitting import Progress, unheard
from trainer.prepared import Prepared, prepare
from trainer.recipes.recipe import Recipe
from trainer.search import storage, worker
from trainer.search.attempt import RUN, CrashError, Finished, Job, attempt, failure, start
from trainer.search.claim import Claim
from trainer.search.measured import COSTS, Cost, Limits, Measure, Quantisation
from trainer.search.result import Result, Row, choose, rows
from trainer.search.settings import QUANTISATIONS, Point, Settings
from trainer.search.study import DONE, Study
from trainer.training import chosen
from wire.errors import InputError

STUDY_FILE: Final = "study.json"
BEST: Final = "best"
TRIALS: Final = "trials"
SAMPLES: Final = "samples"
_MOST_CRASHES: Final = 3


@dataclass(frozen=True)
class Wish:
    """What to search for."""

    source: str
    boards: Sequence[str]
    limits: Limits = field(default_factory=Limits)
    minimise: Sequence[Cost] = ("latency", "ram")
    quantisations: Sequence[Quantisation] = QUANTISATIONS
    groups: int | Sequence[str] | None = None
    recipe: str | None = None
    fixed: dict[str, Any] = field(default_factory=dict)
    seed: int = 1


def search(
    wish: Wish,
    out: Path,
    *,
    trials: int,
    measure: Measure,
    jobs: int = 1,
    url: str | None = None,
    progress: Progress = unheard,
) -> Result:
    """Try until ``trials`` are finished in the study, those that were before included; ``out`` is the study.

    Raises InputError or NotFoundError for what the user has to change, StoreError for the storage.
    """
    data = prepare(wish.source, wish.groups)
    recipe = chosen(data, wish.recipe)
    settings = _settings(wish, data, recipe)
    with Claim(out, settings.digest) as owner:
        study = Study(settings, recipe, url or storage.default(out), owner)
        lost = study.take_over()
        if lost:
            progress(f"{lost} trials were running when the search was stopped; they are tried again")
        study.begin_with_defaults()
        worker.shared_samples(data, out / SAMPLES)
        crashes = _Loop(settings, study, out, trials, measure, progress).run(jobs)
        return _conclude(settings, study, out, crashes, progress)


def _settings(wish: Wish, data: Prepared, recipe: Recipe) -> Settings:
    recipe.complete(wish.fixed)
    if not wish.boards or not wish.minimise or not wish.quantisations:
        raise InputError("nothing_to_search", "a search needs a board and something to minimise", "--board")
    unknown = sorted(set(wish.minimise) - set(COSTS))
    if unknown:
        raise InputError("unknown_cost", f"there is no {unknown[0]!r} to minimise", f"use {', '.join(COSTS)}")
    kind, allowed = data.dataset.schema.kind, recipe.quantisations
    forms = tuple(each for each in wish.quantisations if allowed is None or each in allowed)
    if not forms:
        raise InputError("no_form", f"a model of {recipe.name} can only be {', '.join(allowed or ())}", "")
    return Settings(
        source=wish.source,
        data_digest=data.dataset.digest,
        split={name: part.sha256 for name, part in data.described.items()},
        wanted_groups=data.wanted,
        recipe=str(recipe.file) if recipe.own else recipe.name,
        recipe_sha256=recipe.sha256,
        fixed=dict(wish.fixed),
        boards=tuple(dict.fromkeys(wish.boards)),
        limits=msgspec.structs.replace(wish.limits, known=tuple(wish.minimise)),
        minimise=tuple(wish.minimise),
        preprocessing=() if "preprocessing" in wish.fixed else preparing.CHOICES[kind],
        quantisations=forms,
        seed=wish.seed,
        packages=identity.packages(),
    )


@dataclass
class _Loop:
    settings: Settings
    study: Study
    out: Path
    trials: int
    measure: Measure
    progress: Progress
    crashes: int = 0

    def run(self, jobs: int) -> int:
        """How many trials crashed."""
        flying: dict[Future[Finished], int] = {}
        pool = ThreadPoolExecutor(max_workers=jobs)
        try:
            while True:
                while len(flying) < jobs and self._more():
                    number, point = self.study.ask()
                    flying[pool.submit(self._attempt, number, point)] = number
                if not flying:
                    return self.crashes
                for done in wait(flying, return_when=FIRST_COMPLETED).done:
                    self._land(flying.pop(done), done)
        finally:
            # Whatever still runs is ours to take over the next time.
            pool.shutdown(wait=False, cancel_futures=True)

    def _more(self) -> bool:
        return self.study.count(*DONE, TrialState.RUNNING) < self.trials

    def _attempt(self, number: int, point: Point) -> Finished:
        settings = self.settings
        job = Job(
            source=settings.source,
            wanted_groups=settings.wanted_groups,
            recipe=settings.recipe,
            hyperparameters=point.hyperparameters,
            seed=settings.seed,
            samples=str((self.out / SAMPLES).absolute()),
        )
        return attempt(
            job,
            folder_of(self.out, number),
            measure=self.measure,
            boards=settings.boards,
            quantisation=point.quantisation,
            limits=settings.limits,
        )

    def _land(self, number: int, done: Future[Finished]) -> None:
        try:
            finished = done.result()
        except CrashError as error:
            self.study.fail(number)
            self.crashes += 1
            self.progress(f"trial {number}: {error}")
            if self.crashes >= _MOST_CRASHES:
                raise InputError("trials_crash", str(error), "look at its log") from error
            return
        if number == 0 and finished.state == "refused":
            self.study.fail(number)
            raise InputError("defaults_refused", f"with the recipe's defaults: {finished.reason}", "mend it")
        self.study.tell(number, finished)
        self.progress(f"trial {number}: {outcome(finished)} ({finished.seconds:.0f} s)")


def folder_of(out: Path, number: int) -> Path:
    """Of one trial."""
    return out / TRIALS / f"{number:04d}"


def outcome(finished: Finished) -> str:
    """In one line."""
    if finished.trained is None or finished.reason:
        untrained = ", not trained" if finished.trained is None else ""
        return f"{finished.state}{untrained}: {finished.reason}"
    boards = ", ".join(
        f"{name} {board.latency_ms or 0:g} ms {board.ram_bytes or 0:,} bytes"
        for name, board in finished.trained.boards.items()
    )
    return f"int8 accuracy {finished.trained.accuracy_int8 or 0:.3f} on validation groups; {boards}"


def _conclude(settings: Settings, study: Study, out: Path, crashes: int, progress: Progress) -> Result:
    front = study.front()
    table = rows(study.known(), front)
    best = choose(table, settings)
    metrics = None if best is None else _keep(out, best, progress).metrics
    result = Result(
        study=settings.study_name,
        settings=settings,
        trials=table,
        failed=crashes,
        front=sorted(front),
        chosen=None if best is None else best.number,
        run=None if best is None else str(out / BEST),
        metrics=metrics,
        next="" if best is None else _next(out / BEST, best),
        seconds=round(sum(row.seconds for row in table), 1),
    )
    staged = out / f".{STUDY_FILE}"
    staged.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    staged.replace(out / STUDY_FILE)
    return result


def _keep(out: Path, best: Row, progress: Progress) -> run.Run:
    """The chosen trial's run as a normal run folder, scored on the held-out groups once."""
    source, kept = folder_of(out, best.number) / RUN, out / BEST
    if kept.exists() and run.read(kept).model_sha256 == best.model_sha256:
        return run.read(kept)
    if not source.is_dir():
        raise InputError(
            "run_elsewhere",
            f"trial {best.number}, the best, was trained by another machine of this study",
            f"run the same search there, or copy its {TRIALS}/{best.number:04d} here",
        )
    progress(f"trial {best.number} is chosen; scoring it on the held-out groups")
    shutil.rmtree(kept, ignore_errors=True)
    with start("score", source.parent, str(source), str(kept)) as process:
        if process.wait() != 0:
            raise failure(source.parent)
    return run.read(kept)


def _next(folder: Path, best: Row) -> str:
    """The command that makes the measured form of it."""
    extra = {
        "int8": "",
        "int8-qat": f" --qat {folder / run.CALIBRATION_FILE} --qat-epochs 3",
        "int16": " --activations int16",
    }
    return f"tinyfleet convert {folder} --out BUNDLE{extra[best.quantisation]}"
