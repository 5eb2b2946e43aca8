"""Native code runs in child processes: a hostile or odd model may crash or fill one, and that is an answer.

A worker module is called with a folder for its files. It leaves ``outcome.json`` there.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from wire.errors import FleetError, InputError, RefusedError
from wire.states import Reason

OUTCOME_FILE: Final = "outcome.json"
_MAX_OUTCOME_BYTES: Final = 64 * 1024
_ENVIRONMENT: Final = {
    # One thread: forking is then safe, and runs are comparable.
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    # oneDNN picks kernels by CPU model; without it, more machines give the same figures.
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
T = TypeVar("T")


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An error on its way from the worker."""

    family: str
    code: str
    message: str
    hint: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker leaves: a failure, or facts (msgspec's builtins)."""

    failure: Failure | None = None
    facts: Any = None


def call(module: str, folder: Path, *args: str, facts: type[T], timeout_s: float = 600.0) -> T:
    """Run ``python -m module folder *args``; what it found, as ``facts``.

    Raises the worker's own RefusedError or InputError, and RefusedError when it crashes or takes too long.
    """
    command = [sys.executable, "-m", module, str(folder), *args]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RefusedError(
            Reason.RUNTIME_REFUSED, f"the model was not done after {timeout_s:.0f} s", "use a smaller model"
        ) from error
    if done.returncode < 0:
        raise RefusedError(
            Reason.RUNTIME_REFUSED,
            f"the model crashes its runtime (signal {-done.returncode})",
            "the file is damaged or hostile, or quantised to nothing: look at its scales",
        )
    return msgspec.convert(_outcome(folder, done.returncode, done.stderr), facts)


def _outcome(folder: Path, code: int, stderr: bytes) -> Any:
    try:
        with (folder / OUTCOME_FILE).open("rb") as file:
            outcome = msgspec.json.decode(file.read(_MAX_OUTCOME_BYTES), type=Outcome)
    except (OSError, msgspec.MsgspecError) as error:
        last = (stderr.decode("utf-8", "replace").strip().splitlines() or ["no words"])[-1]
        raise RefusedError(
            Reason.RUNTIME_REFUSED,
            f"the runtime gave up (exit code {code}): {last[:160]}",
            "check the model",
        ) from error
    if outcome.failure is None:
        return outcome.facts
    family = InputError if outcome.failure.family == "InputError" else RefusedError
    raise family(outcome.failure.code, outcome.failure.message, outcome.failure.hint)


def serve(work: Callable[[Path, list[str]], Any], address_space_bytes: int | None = None) -> None:
    """The worker's side: ``work(folder, args)`` gives the facts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if address_space_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
    folder = Path(sys.argv[1])
    try:
        outcome = Outcome(facts=msgspec.to_builtins(work(folder, sys.argv[2:])))
    except FleetError as error:
        outcome = _failed(type(error).__name__, error.code, error.message, error.hint)
    except ModuleNotFoundError as error:
        outcome = _failed(
            "InputError",
            "not_installed",
            f"{error.name} is not installed",
            "pip install 'tinyfleet[convert]'",
        )
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises is its verdict
        traceback.print_exc()
        words = (str(error).strip().splitlines() or [repr(error)])[0]
        outcome = _failed("RefusedError", Reason.RUNTIME_REFUSED, words[:200], "check the model")
    (folder / OUTCOME_FILE).write_bytes(msgspec.json.encode(outcome))


def _failed(family: str, code: str, message: str, hint: str) -> Outcome:
    return Outcome(failure=Failure(family=family, code=str(code), message=message, hint=hint))
