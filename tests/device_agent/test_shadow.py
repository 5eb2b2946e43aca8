"""In the shadow a new model sees a share of the inputs, answers nobody and disturbs nobody."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from device_agent.config import hardware_of
from device_agent.loaded_model import LoadedModel
from device_agent.reports import Reports
from device_agent.shadow import Shadow
from tests.device_agent.small_bundle import Keys, make_bundle
from tests.device_agent.test_answering import Said, load, reading
from wire.errors import RefusedError
from wire.messages import ModelRef
from wire.trust import Policy

EVERY = Policy(trial_inferences=2, shadow_inferences=10, shadow_per_mille=1000)
STRICT = Policy(shadow_inferences=10, shadow_per_mille=1000, shadow_max_disagree_per_mille=100)


@pytest.fixture
def old(keys: Keys) -> LoadedModel:
    return load(make_bundle(keys, 1))


@pytest.fixture
def new(keys: Keys) -> LoadedModel:
    return load(make_bundle(keys, 2, seed=12))


def shadowed(old: LoadedModel, new: LoadedModel, policy: Policy) -> Said:
    said = Said()
    said.answering.activate(old)
    said.answering.shadow("t", new, policy)
    return said


def breaks(model: LoadedModel, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def infer(_raw: np.ndarray) -> None:
        raise error

    monkeypatch.setattr(model, "infer", infer)


def answered_by(said: Said) -> list[tuple[int, int]]:
    """Version and number of inferences of each window."""
    said.answering.close_window()
    return [(window.model.ref.version, window.n) for window in said.windows]


def test_the_new_model_answers_nobody_in_the_shadow_and_then_tries_to(old, new) -> None:
    said = shadowed(old, new, EVERY)
    said.feed(*map(reading, range(10)))
    assert not said.passed
    assert answered_by(said) == [(1, 10)]
    said.feed(*map(reading, range(10, 12)))
    assert said.passed == ["t"]
    assert answered_by(said) == [(1, 10), (2, 2)]


@pytest.mark.parametrize(("per_mille", "inputs"), [(1000, 10), (500, 20), (200, 50), (150, 67), (1, 10_000)])
def test_it_sees_its_share_of_the_inputs_and_no_more(old, new, per_mille: int, inputs: int) -> None:
    shadow = Shadow("t", new, Policy(shadow_inferences=10, shadow_per_mille=per_mille))
    one = reading(0)
    answer = old.infer(one.window)
    for _ in range(inputs - 1):
        shadow.compare(one, answer)
    assert not shadow.done
    assert shadow.compare(one, answer) is not None
    assert shadow.done


def test_comparisons_are_counted_in_the_window_of_the_model_that_answered(old, new) -> None:
    said = shadowed(old, new, EVERY)
    inputs = [reading(step) for step in range(8)]
    said.feed(*inputs)
    said.answering.close_window()
    (window,) = said.windows
    setting = ("d", 1, "00000001-00000000", hardware_of("linux-pc"), "device")
    told = Reports(*setting, lambda: datetime.now(UTC)).telemetry(window, 1, 0)
    assert told.shadow
    labels = [(old.infer(r.window).label, new.infer(r.window).label) for r in inputs]
    disagreed = sum(first != second for first, second in labels)
    assert 0 < disagreed < 8
    assert (told.model, told.n, told.errors) == (old.ref, 8, 0)
    assert (told.shadow.model, told.shadow.n, told.shadow.disagreed, told.shadow.errors) == (
        new.ref,
        8,
        disagreed,
        0,
    )
    assert told.shadow.latency_sum_us > 0


def test_too_much_disagreement_ends_the_attempt_and_the_old_model_answers_on(old, new) -> None:
    said = shadowed(old, new, STRICT)
    said.feed(*map(reading, range(12)))
    assert said.failed == [("t", "shadow")]
    assert answered_by(said) == [(1, 12)]


def test_the_limit_itself_is_allowed_and_the_detail_counts(old, new) -> None:
    inputs = [reading(step) for step in range(10)]
    answers = [old.infer(r.window) for r in inputs]
    disagreed = sum(
        answer.label != new.infer(r.window).label for answer, r in zip(answers, inputs, strict=True)
    )
    assert 0 < disagreed < 10
    for limit, refused in ((disagreed * 100, False), (disagreed * 100 - 1, True)):
        policy = Policy(shadow_inferences=10, shadow_per_mille=1000, shadow_max_disagree_per_mille=limit)
        shadow = Shadow("t", new, policy)
        for one, answer in zip(inputs, answers, strict=True):
            shadow.compare(one, answer)
        refusal = shadow.refusal()
        assert (refusal is not None) is refused
    assert refusal
    assert refusal.message == f"disagreed on {disagreed} of 10 inputs"


@pytest.mark.parametrize("error", [RefusedError("runtime_refused", "boom"), ZeroDivisionError("boom")])
def test_an_error_in_the_shadow_is_counted_and_disturbs_nobody(old, new, monkeypatch, error) -> None:
    said = shadowed(old, new, STRICT)
    breaks(new, monkeypatch, error)
    said.feed(*map(reading, range(10)))
    said.answering.close_window()
    (window,) = said.windows
    assert (window.n, window.errors, said.answering.errors) == (10, 0, 0)
    assert window.shadow
    assert (window.shadow.n, window.shadow.disagreed, window.shadow.errors) == (10, 0, 10)
    assert said.failed == [("t", "shadow")]


def test_inputs_that_the_confirmed_model_cannot_answer_compare_nothing(old, new) -> None:
    said = shadowed(old, new, EVERY)
    nan = reading(0)
    nan.window[0, 0] = np.nan
    said.feed(nan, reading(1))
    said.answering.close_window()
    (window,) = said.windows
    assert window.shadow
    assert (window.n, window.errors, window.shadow.n) == (2, 1, 1)


def test_a_window_never_mixes_two_models_in_the_shadow(old, new, keys: Keys) -> None:
    said = shadowed(old, new, EVERY)
    said.feed(reading(0))
    third = load(make_bundle(keys, 3, seed=13))
    said.answering.activate(old)
    said.answering.shadow("u", third, EVERY)
    said.feed(reading(1), reading(2))
    said.answering.close_window()
    seen: list[tuple[ModelRef | None, int]] = [(w.shadow and w.shadow.model, w.n) for w in said.windows]
    assert seen == [(new.ref, 1), (third.ref, 2)]


def test_activating_the_confirmed_model_ends_the_shadow(old, new) -> None:
    said = shadowed(old, new, EVERY)
    said.feed(reading(0))
    said.answering.activate(old)
    said.feed(*map(reading, range(1, 40)))
    assert not said.passed
    assert not said.failed
    assert answered_by(said) == [(1, 40)]
