"""Answers, trials and windows, on a real model and its golden vectors."""

from __future__ import annotations

import numpy as np
import pytest

from device_agent.answering import Answering
from device_agent.config import hardware_of
from device_agent.input_sums import InputSums
from device_agent.loaded_model import LoadedModel
from device_agent.selftest import check_golden, read_npy
from device_agent.sensor import Reading
from device_agent.window import Window
from runtimes import open_model
from tests.device_agent.small_bundle import Bundle, Keys, make_bundle, npy
from tests.device_agent.tiny_model import INPUT_SHAPE
from wire.errors import FleetError, RefusedError, WireError
from wire.part import split_part

BOARDS = ["linux-pc", "nano33ble"]


class Said:
    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.windows: list[Window] = []
        self.answering = Answering(self.passed.append, self.fail, self.windows.append)

    def fail(self, attempt: str, error: FleetError) -> None:
        self.failed.append((attempt, error.code))

    def feed(self, *readings: Reading) -> None:
        for reading in readings:
            self.answering.answer(reading)


def load(bundle: Bundle, board: str = "linux-pc") -> LoadedModel:
    return LoadedModel(bundle.ref, bundle.manifest, files_of(bundle, board), hardware_of(board), open_model)


def files_of(bundle: Bundle, board: str) -> dict[str, bytes]:
    part = bundle.part(board)
    return split_part(part, bundle.payload[part.start : part.end])


def reading(step: int, shape: tuple[int, ...] = INPUT_SHAPE, label: int | None = None) -> Reading:
    window = np.random.default_rng(step).normal(size=shape).astype(np.float32) * 20
    return Reading(step, 100 + step, window, label)


def refuse(raw: np.ndarray) -> None:
    raise RefusedError("runtime_refused", "boom")


@pytest.mark.parametrize("board", BOARDS)
def test_golden_vectors_of_each_numerics_family(keys: Keys, board: str) -> None:
    good, bad = make_bundle(keys, 1), make_bundle(keys, 1, damaged=True)
    files = files_of(good, board)
    assert list(check_golden(load(good, board), files)) == [0, 1, 2, 3]
    with pytest.raises(
        RefusedError, match=r"golden vector 0: \d of 5 outputs differ, expected class word\d got word\d"
    ):
        list(check_golden(load(bad, board), files))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), np.int8),
        np.zeros((2, *INPUT_SHAPE), np.int16),
        np.zeros((2, *INPUT_SHAPE[::-1]), np.int8).T,
        np.array(5, np.int8),
    ],
)
def test_golden_vectors_of_another_kind_are_malformed(array: np.ndarray) -> None:
    with pytest.raises(WireError, match="golden vectors"):
        read_npy(npy(array), INPUT_SHAPE)


def test_golden_vectors_that_claim_more_than_they_have(keys: Keys) -> None:
    header = npy(np.zeros((2, *INPUT_SHAPE), np.int8)).replace(b"(2,", b"(9,")
    with pytest.raises(WireError):
        read_npy(header, INPUT_SHAPE)
    with pytest.raises(WireError):
        read_npy(b"\x93NUMPY\x01\x00\xff\xff{", INPUT_SHAPE)


def test_a_window_sums_up_exactly_what_was_answered(keys: Keys) -> None:
    said, model = Said(), load(make_bundle(keys, 1))
    said.answering.activate(model)
    readings = [reading(step, label=step % 5) for step in range(30)]
    said.feed(*readings)
    said.answering.close_window()
    (window,) = said.windows
    answers = [model.infer(r.window) for r in readings]
    assert (window.n, window.errors, window.labelled, window.first) == (30, 0, 30, 100)
    assert window.correct == sum(a.label == r.label for a, r in zip(answers, readings, strict=True))
    assert window.classes == [sum(a.label == c for a in answers) for c in range(5)]
    assert sum(window.confidence) == sum(window.latency.values()) == 30
    samples = np.concatenate([r.window for r in readings])
    channels, tensor = window.inputs.channels, window.inputs.tensor
    assert np.allclose(channels.mean, samples.mean(axis=0, dtype=np.float64))
    assert np.allclose(channels.std, samples.std(axis=0, dtype=np.float64))
    given = np.stack([a.tensor for a in answers]).astype(int)
    assert list(tensor.histogram) == np.histogram(given, bins=16, range=(-128, 128))[0].tolist()
    assert (tensor.low, tensor.high) == ((given == -128).sum(), (given == 127).sum())


def test_a_window_says_in_how_many_readings_a_channel_did_not_move() -> None:
    sums, moving = InputSums(), np.arange(6, dtype=np.float32).reshape(3, 2)
    sums.add(moving)
    assert sums.channels.flat == ()
    sums.add(moving * [1, 0])
    sums.add(moving * [0, 0] + 7)
    assert sums.channels.flat == (1, 2)
    sums.add(np.full((3, 2), np.nan, np.float32))
    assert sums.channels.n == 9
    assert sums.tensor is None


def test_a_window_ends_where_the_model_changes_or_the_stream_jumps(keys: Keys) -> None:
    said = Said()
    said.answering.activate(load(make_bundle(keys, 1)))
    said.feed(reading(0), reading(1), reading(5))
    said.answering.activate(load(make_bundle(keys, 2)))
    said.feed(reading(6))
    said.answering.close_window()
    assert [(w.first, w.n, w.model.ref.version) for w in said.windows] == [
        (100, 2, 1),
        (105, 1, 1),
        (106, 1, 2),
    ]


def test_a_trial_passes_after_its_inferences(keys: Keys) -> None:
    said = Said()
    said.answering.try_out("t", load(make_bundle(keys, 2)), 2)
    said.feed(reading(0))
    assert not said.passed
    said.feed(reading(1))
    assert said.passed == ["t"]
    said.answering.try_out("u", load(make_bundle(keys, 2)), 0)
    assert said.passed == ["t", "u"]


def test_when_the_model_on_trial_fails_the_confirmed_one_answers_the_same_reading(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, trial = Said(), load(make_bundle(keys, 2))
    said.answering.activate(load(make_bundle(keys, 1)))
    said.answering.try_out("t", trial, 3)
    said.feed(reading(0))
    monkeypatch.setattr(
        trial, "infer", lambda raw: (_ for _ in ()).throw(RefusedError("runtime_refused", "boom"))
    )
    said.feed(reading(1))
    said.answering.close_window()
    assert said.failed == [("t", "runtime_refused")]
    assert [(w.model.ref.version, w.first, w.n, w.errors) for w in said.windows] == [
        (2, 100, 2, 1),
        (1, 101, 1, 0),
    ]


def test_bad_readings_are_errors_and_a_broken_sensor_does_not_fail_a_trial(keys: Keys) -> None:
    said = Said()
    said.answering.activate(load(make_bundle(keys, 1)))
    said.answering.try_out("t", load(make_bundle(keys, 2)), 1)
    nan = reading(0)
    nan.window[0, 0] = np.nan
    said.feed(nan)
    assert not said.failed
    said.feed(reading(1, (3, 3)))
    assert said.failed == [("t", "wrong_shape")]
    said.answering.close_window()
    assert [(w.n, w.errors) for w in said.windows] == [(2, 2), (1, 1)]
    assert said.answering.errors == 3


def test_a_model_that_does_not_fit_is_refused(keys: Keys) -> None:
    bundle = make_bundle(keys, 1, targets=("cortex-m33",))
    with pytest.raises(RefusedError, match="not built for cortex-m4"):
        load(bundle, "nano33ble")
