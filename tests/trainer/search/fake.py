"""A search whose trials take no time: what a trial leads to is a formula of its parameters.

As a program it searches and kills itself, ``python -m tests.trainer.search.fake OUT TRIALS KILLED_AT JOBS``.
"""

import os
import signal
import sys
from pathlib import Path

from trainer.search import search as module
from trainer.search.attempt import Finished
from trainer.search.measured import Limits, Measured, OnBoard, objection
from trainer.search.search import Wish, search

BOARD = "nucleo-l4r5zi"
WISH = Wish(source="watch", boards=(BOARD,), limits=Limits(max_latency_ms=30.0), groups=2)


def attempt(job, folder, *, measure, boards, quantisation, limits, killed_at=None):
    """Wider and deeper is better and slower; below 8 filters there is no such network."""
    folder.mkdir(parents=True, exist_ok=True)
    if killed_at is not None and folder.name == f"{killed_at:04d}":
        os.kill(os.getpid(), signal.SIGKILL)
    hyper = job.hyperparameters
    if hyper["width"] < 6:
        return Finished(state="refused", reason="too narrow")
    latency = hyper["width"] * hyper["blocks"] / 2
    board = OnBoard(ram_bytes=100 * hyper["width"], flash_bytes=1000, latency_ms=latency)
    before = Measured(boards={BOARD: board})
    against = objection(before, limits)
    if against:
        return Finished(state="infeasible", reason=against, untrained=before)
    accuracy = 1 - 1 / latency - abs(hyper["learning_rate"] - 2e-3)
    after = Measured(boards={BOARD: board}, accuracy_int8=accuracy)
    return Finished(state="trained", untrained=before, trained=after, accuracy_float=accuracy)


def run(out: Path, trials: int, killed_at: int | None = None, jobs: int = 1, **other):
    """The study's trials, without a best run, as nothing was trained."""
    module.attempt = lambda *args, **named: attempt(*args, **named, killed_at=killed_at)
    module.choose = lambda rows, settings: None
    return search(WISH, out, trials=trials, measure=None, jobs=jobs, **other)


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
