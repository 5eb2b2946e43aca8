"""Whatever a model does to its runtime, the caller gets an answer or a typed error."""

import contextlib
from pathlib import Path

import numpy as np
import pytest

from converter import child
from converter.execution import execute
from wire.errors import FleetError, InputError, RefusedError
from wire.states import NumericsFamily


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``worker(code)`` runs code as a worker module."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(code: str, timeout_s: float = 60.0) -> int:
        (tmp_path / "odd_worker.py").write_text(code)
        return child.call("odd_worker", tmp_path, facts=int, timeout_s=timeout_s)

    return run


SERVE = "from converter.child import serve\nfrom wire.errors import *\n"


def test_facts_come_back(worker):
    assert worker(SERVE + "serve(lambda folder, args: 42)") == 42


def test_a_crash_is_a_refusal(worker):
    with pytest.raises(RefusedError, match=r"crashes its runtime \(signal 6\)"):
        worker("import os; os.abort()")


def test_an_endless_run_is_a_refusal(worker):
    with pytest.raises(RefusedError, match="not done after 1 s"):
        worker("while True: pass", timeout_s=1.0)


def test_too_much_memory_is_a_refusal(worker):
    with pytest.raises(RefusedError):
        worker(SERVE + "serve(lambda folder, args: len(bytearray(2**31)), 2**30)")


def test_an_exit_without_words_is_a_refusal(worker):
    with pytest.raises(RefusedError, match="gave up"):
        worker("import sys; sys.exit('no space left')")


def test_a_typed_error_keeps_its_family(worker):
    with pytest.raises(InputError, match="wrong") as caught:
        worker(SERVE + "def work(f, a): raise InputError('bad', 'wrong', 'right')\nserve(work)")
    assert (caught.value.code, caught.value.hint) == ("bad", "right")


def test_a_missing_runtime_is_named(worker):
    with pytest.raises(InputError, match="no_such_runtime is not installed"):
        worker(SERVE + "def work(f, a): import no_such_runtime\nserve(work)")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("family", NumericsFamily)
def test_damaged_models_run_or_are_refused(bundle_dir: Path, family: NumericsFamily, seed: int):
    model = bytearray((bundle_dir / "model.tflite").read_bytes())
    dice = np.random.default_rng(seed)
    for position in dice.integers(len(model) * 8, size=2 ** (seed + 1)):
        model[position // 8] ^= 1 << position % 8
    inputs = np.load(bundle_dir / "golden/inputs.npy")
    measure = family is NumericsFamily.TFLM
    with contextlib.suppress(FleetError):
        assert len(execute(family, bytes(model), inputs, measure_arena=measure).outputs) == len(inputs)
