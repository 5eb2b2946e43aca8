"""One trial, in a process of its own: build, measure, and only if it fits, train and measure again.

The process is ``trainer.search.worker``. It builds the network, leaves an untrained run folder and waits;
memory and latency hardly depend on what is learnt (16 bytes and 0.1 % were seen), so a network that does
not fit is never trained. One that does is measured again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from trainer import run
from trainer.search.measured import Limits, Measure, Measured, Quantisation, objection
from wire.errors import FleetError, InputError, RefusedError

JOB_FILE: Final = "job.json"
FAILURE_FILE: Final = "failure.json"
LOG_FILE: Final = "log.txt"
UNTRAINED: Final = "untrained"
RUN: Final = "run"
BUILT: Final = b"built\n"
TRAIN: Final = b"train\n"
_MAX_BYTES: Final = 64 * 1024
State = Literal["trained", "infeasible", "refused"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told."""

    source: str
    wanted_groups: int | tuple[str, ...] | None
    recipe: str | None
    hyperparameters: dict[str, object]
    seed: int
    samples: str
    """Folder of the sample files that all trials share."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why the process gave up."""

    code: str
    message: str
    hint: str


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial."""

    state: State
    """``infeasible`` breaks a limit, ``refused`` cannot be built or converted."""
    reason: str = ""
    untrained: Measured | None = None
    trained: Measured | None = None
    accuracy_float: float | None = None
    """Like the int8 accuracy, of the validation groups."""
    epochs_run: int = 0
    model_sha256: str = ""
    run_id: str = ""
    seconds: float = 0.0
    """Wall time; not part of what a seed reproduces."""


class CrashError(Exception):
    """The process died: no word on the trial."""


def attempt(
    job: Job,
    folder: Path,
    *,
    measure: Measure,
    boards: Sequence[str],
    quantisation: Quantisation,
    limits: Limits,
) -> Finished:
    """Run one trial in ``folder``, which is emptied; CrashError when its process does not answer."""
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / JOB_FILE).write_bytes(msgspec.json.encode(job))
    try:
        found = _in_process(folder, lambda at: measure(at, boards, quantisation), limits)
    except (RefusedError, InputError) as error:
        found = Finished(state="refused", reason=error.message)
    shutil.rmtree(folder / UNTRAINED, ignore_errors=True)
    return msgspec.structs.replace(found, seconds=round(time.monotonic() - began, 1))


def _in_process(folder: Path, measure: Callable[[Path], Measured], limits: Limits) -> Finished:
    with start("trial", folder) as process:
        if process.stdout is None or process.stdin is None:
            raise ValueError("both pipes were asked for")
        if BUILT not in iter(process.stdout.readline, b""):
            raise failure(folder)
        before = measure(folder / UNTRAINED)
        against = objection(before, limits)
        if against:
            return Finished(state="infeasible", reason=against, untrained=before)
        process.stdin.write(TRAIN)
        process.stdin.flush()
        if process.wait() != 0:
            raise failure(folder)
    record = run.read(folder / RUN)
    after = measure(folder / RUN)
    against = objection(after, limits)
    return Finished(
        state="infeasible" if against else "trained",
        reason=against,
        untrained=before,
        trained=after,
        accuracy_float=record.metrics.validation_accuracy,
        epochs_run=record.epochs_run,
        model_sha256=record.model_sha256,
        run_id=record.id,
    )


def start(work: str, folder: Path, *args: str) -> subprocess.Popen[bytes]:
    """The worker; closing its standard input ends it, and so does our end."""
    with (folder / LOG_FILE).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "trainer.search.worker", work, str(folder), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )


def failure(folder: Path) -> Exception:
    """What the worker left as its reason, or CrashError."""
    try:
        with (folder / FAILURE_FILE).open("rb") as stream:
            found = msgspec.json.decode(stream.read(_MAX_BYTES), type=Failure)
    except (OSError, msgspec.MsgspecError):
        return CrashError(f"the process of {folder.name} ended without an answer; see {folder / LOG_FILE}")
    return InputError(found.code, found.message, found.hint)


def described(error: FleetError) -> bytes:
    """For the parent."""
    return msgspec.json.encode(Failure(code=str(error.code), message=error.message, hint=error.hint))
