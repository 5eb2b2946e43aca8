"""Child process of a search, because TensorFlow shares a process with nobody.

``trial FOLDER``: build, leave ``untrained``, say so, wait for the word, train, leave ``run``.
``score FOLDER RUN OUT``: look at the held-out groups with a trained run: the normal run folder OUT.
Standard input's end is the parent's end.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from trainer import run, training
from trainer.backend import keras_with_seed, silenced
from trainer.prepared import Prepared, prepare
from trainer.run import Arrays
from trainer.search.attempt import BUILT, FAILURE_FILE, JOB_FILE, RUN, TRAIN, UNTRAINED, Job, described
from trainer.training import Begun
from wire.errors import FleetError

_MOST_WINDOWS: Final = 64
"""Of an untrained network's calibration: its ranges mean nothing."""
Tell = Callable[[bytes], object]


def trial(folder: Path, tell: Tell) -> None:
    """See above."""
    job = msgspec.json.decode((folder / JOB_FILE).read_bytes(), type=Job)
    data = prepare(job.source, _wanted(job))
    begun = training.begin(data, training.chosen(data, job.recipe), job.hyperparameters, job.seed)
    _leave_untrained(begun, folder / UNTRAINED)
    tell(BUILT)
    if sys.stdin.buffer.readline() != TRAIN:
        return
    threading.Thread(target=_end_with_parent, daemon=True).start()
    record = training.finish(begun, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    samples = Path(job.samples)
    shared = {name: samples / name for name in (run.CALIBRATION_FILE, run.EVAL_FILE)}
    run.write(folder / RUN, record, begun.model, dict(shared), training.own_text(begun.recipe))


def score(folder: Path, source: Path, out: Path) -> None:
    """See above."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = msgspec.json.decode((folder / JOB_FILE).read_bytes(), type=Job)
    data = prepare(job.source, _wanted(job))
    fitted = run.read(source)
    keras = keras_with_seed(fitted.seed)
    with silenced():
        model = keras.models.load_model(source / run.MODEL_FILE)
    record, answers = training.score(data, model, fitted)
    own = (source / run.RECIPE_FILE).read_bytes() if fitted.recipe.own else b""
    run.write(out, record, model, training.files(data, answers), own)


def shared_samples(data: Prepared, folder: Path) -> None:
    """What every trial's folder has: all train windows, and the validation windows to be scored by."""
    folder.mkdir(parents=True, exist_ok=True)
    judged = data.parts["validation"]
    evaluation: Arrays = {"x": judged.x, "y": judged.y, "group": judged.group}
    for name, arrays in ((run.CALIBRATION_FILE, data.calibration), (run.EVAL_FILE, evaluation)):
        staged = folder / f".{name}"
        with staged.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        staged.replace(folder / name)


def _leave_untrained(begun: Begun, out: Path) -> None:
    few = np.linspace(0, len(begun.train.x) - 1, min(_MOST_WINDOWS, len(begun.train.x))).astype(np.intp)
    arrays: Arrays = {name: values[few] for name, values in begun.data.calibration.items()}
    record = training.record(begun, 0, run.Metrics(validation_accuracy=0.0))
    own = training.own_text(begun.recipe)
    run.write(out, record, begun.model, {run.CALIBRATION_FILE: arrays, run.EVAL_FILE: arrays}, own)


def _wanted(job: Job) -> int | list[str] | None:
    return list(job.wanted_groups) if isinstance(job.wanted_groups, tuple) else job.wanted_groups


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


def main(work: str, folder: Path, *args: str) -> int:
    """The exit code; a FleetError is left in ``failure.json``."""
    parent = os.dup(1)
    # What a recipe prints goes to the log, and fills no pipe that nobody reads.
    os.dup2(2, 1)
    try:
        if work == "trial":
            trial(folder, lambda line: os.write(parent, line))
        else:
            score(folder, *map(Path, args))
    except FleetError as error:
        (folder / FAILURE_FILE).write_bytes(described(error))
        return 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
    sys.stdout.flush()
    # The thread that waits for the parent holds standard input's lock.
    os._exit(code)
