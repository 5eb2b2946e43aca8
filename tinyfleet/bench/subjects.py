"""Answers of real models to real people whom they never saw: the ground truth for simulated fleets.

Every subject of the ``watch`` data is held out once: int8 models are trained on others, converted as a
shipped model is, and asked about all windows of the subject, in order of time. ``old`` saw three subjects,
``new`` all the others, as the demo's first and second version do.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wire import preprocess
from wire.errors import StoreError
from wire.manifest import MODEL_FILE, digest_of
from wire.messages import Hardware
from wire.states import NumericsFamily

if TYPE_CHECKING:
    from device_agent.loaded_model import LoadedModel

FILE: Final = "data/watch_subjects.npz"
VERSIONS: Final = ("old", "new")
#: Subjects that are held out together; one more chooses the epoch.
FOLDS: Final = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10))
_TRAINED_ON: Final = {"old": 3, "new": None}
_TIMED: Final = 20_000
#: Inputs that each emulated board is given.
_EMULATED: Final = 8
_TARGET: Final = "linux-x86_64"
_HARDWARE: Final = Hardware(
    target=_TARGET,
    board="linux-pc",
    numerics=NumericsFamily.XNNPACK,
    runtime="ai-edge-litert",
    ram_bytes=2**30,
    flash_bytes=2**30,
)
Say = Callable[[str], None]


class Subjects(NamedTuple):
    """n windows, in order of subject, recording and time."""

    subject: NDArray[np.int16]
    recording: NDArray[np.int16]
    """One exercise of one arm of one subject, without a break."""
    label: NDArray[np.int8]
    answer: NDArray[np.int8]
    """(versions, n)."""
    confidence: NDArray[np.float32]
    """(versions, n), of the answer."""
    latency_us: NDArray[np.float32]
    """(m,) of single inferences, one after the other, as measured by the clock of a Linux PC."""
    board_us: NDArray[np.float32]
    """(boards, inputs) of the same model, estimated on emulated boards; their names are in ``made``."""
    made: dict[str, Any]
    """How, with what and when."""

    def answers_sha256(self) -> str:
        """Of who was asked and what the answers were: equal for two builds of one seed."""
        arrays = (self.subject, self.recording, self.label, self.answer, self.confidence)
        return digest_of(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))


def load() -> Subjects:
    """The results that the package ships."""
    with files(__package__).joinpath(FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        made = json.loads(str(arrays["made"]))
        found = {name: arrays[name] for name in Subjects._fields if name != "made"}
        return Subjects(**found, made=made)


def build(out: Path, seed: int, say: Say) -> Subjects:
    """Train, convert and ask again; some minutes. The same seed gives the same answers."""
    from firmware_sim.fleet import DEFAULT_BOARDS
    from trainer.tasks import find
    from trainer.windows import cut

    task = find("watch")
    dataset = task.load()
    windows = cut(dataset, task.window, task.stride)
    recording = np.concatenate(
        [
            np.full(max(0, (len(each.samples) - task.window) // task.stride + 1), index, np.int16)
            for index, each in enumerate(dataset.recordings)
        ]
    )
    answer = np.zeros((len(VERSIONS), len(windows)), np.int8)
    confidence = np.zeros((len(VERSIONS), len(windows)), np.float32)
    latency_us = np.zeros(0, np.float32)
    board_us = np.zeros((0, 0), np.float32)
    for held_out in FOLDS:
        test = tuple(map(str, held_out))
        chooser = next(group for group in dataset.groups if group not in test)
        fold = dataclasses.replace(task, validation=(chooser,), test=test)
        asked = windows.of_groups(test)
        for row, name in enumerate(VERSIONS):
            model, tflite = _model(fold, _TRAINED_ON[name], seed)
            answer[row, asked], confidence[row, asked] = _ask(model, windows.x[asked])
            right = (answer[row, asked] == windows.y[asked]).mean()
            say(f"{name} on subjects {held_out}: accuracy {right:.3f}")
        if not len(latency_us):
            latency_us = _time(model, windows.x[asked])
            board_us = _emulate(DEFAULT_BOARDS, model, tflite, windows.x[asked][:_EMULATED])
    order = np.lexsort((np.arange(len(windows)), recording, windows.group.astype(np.int16)))
    found = Subjects(
        windows.group[order].astype(np.int16),
        recording[order],
        windows.y[order].astype(np.int8),
        answer[:, order],
        confidence[:, order],
        latency_us,
        board_us,
        _made(dataset.sources[0].files[0].sha256, seed, DEFAULT_BOARDS),
    )
    _write(out, found)
    return found


def _model(fold: Any, groups: int | None, seed: int) -> tuple[LoadedModel, bytes]:
    """Trained, converted and loaded as an agent on a Linux board does it; and its ``.tflite``."""
    from converter.bundle import read_bundle
    from converter.conversion import convert
    from device_agent.loaded_model import LoadedModel
    from runtimes import open_model
    from trainer.training import train
    from wire.trust import load_key, new_key

    with tempfile.TemporaryDirectory(prefix="tinyfleet-") as name:
        run, out = Path(name) / "run", Path(name) / "bundle"
        train(fold, run, groups=groups, seed=seed)
        expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        convert(run, out, signer=load_key(new_key()), expires=expires, target_names=(_TARGET,))
        bundle = read_bundle(out)
        ref = bundle.manifest.ref("0" * 64)
        loaded = LoadedModel(ref, bundle.manifest, bundle.files, _HARDWARE, open_model)
        return loaded, bundle.files[MODEL_FILE]


def _ask(model: LoadedModel, windows: NDArray[np.float32]) -> tuple[list[int], list[float]]:
    answers = [model.infer(window) for window in windows]
    return [answer.label for answer in answers], [answer.confidence for answer in answers]


def _time(model: LoadedModel, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Microseconds of _TIMED inferences in sequence, one at a time as an agent runs them."""
    taken = [model.infer(windows[index % len(windows)]).latency_ns / 1000 for index in range(_TIMED)]
    return np.array(taken, np.float32)


def _emulate(
    boards: Sequence[str], model: LoadedModel, tflite: bytes, windows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(boards, n): microseconds by the estimated cycles of each board's emulated core."""
    from firmware_sim import execution

    values = preprocess.apply(model.manifest.preprocessing, windows)
    inputs = preprocess.quantise(model.manifest.input, values)
    ran = [execution.run(tflite, board, inputs).execution for board in boards]
    return np.array([[spent / each.clock_mhz for spent in each.cycles_estimated] for each in ran], np.float32)


def _made(data: str, seed: int, boards: Sequence[str]) -> dict[str, Any]:
    packages = ("keras", "numpy", "tensorflow", "ai-edge-litert", "unicorn")
    return {
        "task": "watch",
        "data_sha256": data,
        "seed": seed,
        "folds": FOLDS,
        "trained_on": _TRAINED_ON,
        "boards": boards,
        "packages": {name: version(name) for name in packages},
        "machine": platform.machine(),
        "load": os.getloadavg()[0],
    }


def _write(out: Path, found: Subjects) -> None:
    arrays = {name: getattr(found, name) for name in Subjects._fields if name != "made"}
    try:
        with out.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, made=np.array(json.dumps(found.made)), **arrays)
    except OSError as error:
        raise StoreError("cannot_write", f"cannot write {out}: {error.strerror}", "check the path") from error
