"""Lint and the runtimes on random models: what passes runs and answers right, what is spoilt is named."""

from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from converter import lint
from converter.flatbuffer import parse
from tests.models.catalogue import OPERATORS
from tests.models.defects import DEFECTS, spoilt
from tests.models.random_models import graphs, network, one_operator, single_op
from tests.models.sandbox import Kernels, Sandbox
from wire.errors import RefusedError

#: Kernels of TFLM that LiteRT's reference kernels equal bit by bit, in a row too.
EXACT = frozenset(OPERATORS) - {"FULLY_CONNECTED", "HARD_SWISH", "LOGISTIC", "SOFTMAX", "TANH"}
FEW = settings(max_examples=settings.default.max_examples // 10)
INFO = {"per_channel_fc", "stateful"}


@pytest.mark.parametrize("name", OPERATORS)
@FEW
@given(data=st.data())
def test_each_operator_runs_and_no_runtime_is_more_than_a_bit_off(
    sandbox: Sandbox, name: str, data: st.DataObject
):
    model = data.draw(single_op(name))
    assert {finding.code for finding in lint.findings(parse(model))} <= INFO
    answers = [sandbox.run([model], kernels)[0] for kernels in Kernels]
    assert [ran.refusal for ran in answers] == ["", "", ""]
    tflm = answers[0].outputs.astype(int)
    for other in answers[1:]:
        assert np.abs(other.outputs - tflm).max() <= 1


@given(model=graphs())
def test_what_lint_passes_runs_everywhere(sandbox: Sandbox, model: bytes):
    parsed = parse(model)
    assert {finding.code for finding in lint.findings(parsed)} <= INFO
    assert lint.int8_numerics(parsed)
    _, spec_out = lint.check(parsed)
    for kernels in Kernels:
        (ran,) = sandbox.run([model], kernels, windows=2)
        assert ran.refusal == ""
        assert ran.outputs.shape == (2, *spec_out.shape)


@given(model=graphs(operators=EXACT))
def test_exact_kernels_stay_exact_in_a_graph(sandbox: Sandbox, model: bytes):
    (tflm,), (reference,) = sandbox.run([model]), sandbox.run([model], Kernels.REFERENCE)
    assert (tflm.refusal, reference.refusal) == ("", "")
    np.testing.assert_array_equal(tflm.outputs, reference.outputs)


@pytest.mark.parametrize("operator", ["RELU6", "TANH"])
def test_tflm_does_ignore_the_scales_that_lint_says_it_ignores(sandbox: Sandbox, operator: str):
    worst = 0
    for seed in range(4):
        model = one_operator(operator, Random(seed))
        bad = spoilt(model, DEFECTS["rescaling RELU6 or TANH"], Random(seed))
        assert bad is not None
        (right, tflm), (reference,) = sandbox.run([model, bad]), sandbox.run([bad], Kernels.REFERENCE)
        assert (tflm.refusal, reference.refusal) == ("", "")
        np.testing.assert_array_equal(tflm.outputs, right.outputs)
        worst = max(worst, int(np.abs(tflm.outputs.astype(int) - reference.outputs).max()))
    assert worst > 1


def test_tflm_aborts_at_a_softmax_of_next_to_nothing(sandbox: Sandbox):
    bad = spoilt(one_operator("SOFTMAX", Random(1)), DEFECTS["softmax of next to nothing"], Random(1))
    assert bad is not None
    (ran,) = sandbox.run([bad])
    assert ran.refusal == "crashed"


def with_and_without(name: str, seed: int) -> tuple[bytes, bytes]:
    """A good model, the first by this seed that has a place for the defect, and the same with it."""
    dice = Random(seed)
    while True:
        model = network(dice, 6)
        bad = spoilt(model, DEFECTS[name], dice)
        if bad is not None:
            return model, bad


@pytest.mark.parametrize("name", DEFECTS)
@FEW
@given(seed=st.integers(0, 10**9))
def test_a_defect_in_a_good_graph_gets_its_finding_and_no_other(name: str, seed: int):
    model, bad = with_and_without(name, seed)
    before = {finding.code for finding in lint.findings(parse(model))}
    after = lint.findings(parse(bad))
    (new,) = {finding.code for finding in after} - before
    assert new in DEFECTS[name].code.split("|")
    (found, *_) = [finding for finding in after if finding.code == new]
    assert found.message
    assert found.remedy or found.severity == "info"
    if found.severity == "error":
        with pytest.raises(RefusedError) as caught:
            lint.check(parse(bad))
        assert caught.value.code == new
