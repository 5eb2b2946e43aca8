"""Lint and the runtimes on random models: what passes runs and answers right, what is spoilt is named."""

from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings

from converter import lint
from converter.flatbuffer import parse
from tests.models.catalogue import OPERATORS
from tests.models.defects import DEFECTS, spoilt
from tests.models.random_models import graphs, single_op
from tests.models.sandbox import Kernels, Sandbox
from wire.errors import RefusedError

#: Kernels of TFLM that LiteRT's reference kernels equal bit by bit, in a row too.
EXACT = frozenset(OPERATORS) - {"FULLY_CONNECTED", "HARD_SWISH", "LOGISTIC", "SOFTMAX", "TANH"}
INFO = {"per_channel_fc", "stateful"}


@pytest.mark.parametrize("name", OPERATORS)
@settings(max_examples=12)
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
    spec_in, spec_out = lint.check(parsed)
    for kernels in Kernels:
        (ran,) = sandbox.run([model], kernels, windows=2)
        assert ran.refusal == ""
        assert ran.outputs.shape == (2, *spec_out.shape)


@given(model=graphs(operators=EXACT))
def test_exact_kernels_stay_exact_in_a_graph(sandbox: Sandbox, model: bytes):
    (tflm,), (reference,) = sandbox.run([model]), sandbox.run([model], Kernels.REFERENCE)
    assert (tflm.refusal, reference.refusal) == ("", "")
    np.testing.assert_array_equal(tflm.outputs, reference.outputs)


@pytest.mark.parametrize("name", DEFECTS)
@settings(max_examples=20)
@given(model=graphs(least=3), dice=st.randoms(use_true_random=False))
def test_a_defect_in_a_good_graph_gets_its_finding_and_no_other(name: str, model: bytes, dice: Random):
    defect = DEFECTS[name]
    bad = spoilt(model, defect, dice)
    assume(bad is not None)
    assert bad is not None
    before = {finding.code for finding in lint.findings(parse(model))}
    after = lint.findings(parse(bad))
    (new,) = {finding.code for finding in after} - before
    assert new in defect.code.split("|")
    (found, *_) = [finding for finding in after if finding.code == new]
    assert found.message
    assert found.remedy or found.severity == "info"
    if found.severity == "error":
        with pytest.raises(RefusedError) as caught:
            lint.check(parse(bad))
        assert caught.value.code == new
