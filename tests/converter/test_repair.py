"""A repaired file computes what the right one does; what has no right repair is left alone."""

from random import Random

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from converter import lint
from converter.flatbuffer import parse
from converter.planning.offline import plan_in
from converter.repair import repair
from runtimes.console import captured
from tests.models.defects import DEFECTS, spoilt, with_ends
from tests.models.random_models import network, one_operator
from tests.models.sandbox import Kernels, Sandbox, windows_of

SEEDS = pytest.mark.parametrize("seed", range(2))


def same(sandbox: Sandbox, one: bytes, other: bytes) -> bool:
    pairs = [sandbox.run([one, other], kernels) for kernels in Kernels]
    assert all(ran.refusal == "" for pair in pairs for ran in pair)
    return all(np.array_equal(first.outputs, second.outputs) for first, second in pairs)


@SEEDS
@pytest.mark.parametrize("name", ["external buffer", "axis out of range", "overlapping plan", "short plan"])
def test_the_repaired_file_answers_as_the_right_one_did(sandbox: Sandbox, name: str, seed: int):
    model = network(Random(seed), 8)
    bad = spoilt(model, DEFECTS[name], Random(seed))
    assert bad is not None
    repaired = repair(bad)
    assert repaired.done == [DEFECTS[name].code]
    assert lint.findings(parse(repaired.model)) == lint.findings(parse(model))
    assert same(sandbox, model, repaired.model)
    assert repair(repaired.model).model is repaired.model


def test_an_axis_out_of_range_is_why_litert_refuses_what_tflm_runs(sandbox: Sandbox):
    model = one_operator("CONV_2D", Random(4))
    bad = spoilt(model, DEFECTS["axis out of range"], Random(4))
    assert bad is not None
    right, spoilt_too = sandbox.run([model, bad])
    np.testing.assert_array_equal(right.outputs, spoilt_too.outputs)
    (refused,) = sandbox.run([bad], Kernels.XNNPACK)
    assert "quantized_dimension must be in range" in refused.refusal


def test_a_plan_that_overlaps_makes_tflm_answer_wrong_in_silence(sandbox: Sandbox):
    model = network(Random(1), 8)
    bad = spoilt(model, DEFECTS["overlapping plan"], Random(1))
    assert bad is not None
    right, wrong = sandbox.run([model, bad])
    assert wrong.refusal == ""
    assert not np.array_equal(right.outputs, wrong.outputs)
    assert plan_in(repair(bad).model) is None


@SEEDS
@pytest.mark.parametrize(("kind", "code"), [("FLOAT32", "unquantised_io"), ("UINT8", "uint8_model")])
def test_ends_that_only_quantise_are_taken_off(sandbox: Sandbox, kind: str, code: str, seed: int):
    model = network(Random(seed), 8)
    wide = with_ends(model, kind)
    assert code in {finding.code for finding in lint.findings(parse(wide))}
    repaired = repair(wide)
    assert repaired.done == [code]
    assert lint.findings(parse(repaired.model)) == lint.findings(parse(model))
    assert same(sandbox, model, repaired.model)
    (before,), (after,) = sandbox.run([model]), sandbox.run([repaired.model])
    assert after.head == before.head, "no tensor is left behind that TFLM would give room"


def test_the_signature_names_the_new_ends():
    model = network(Random(2), 5)
    window = windows_of(model, 1)[0]
    wide = Interpreter(model_content=with_ends(model, "FLOAT32"), num_threads=1)
    narrow = Interpreter(model_content=repair(with_ends(model, "FLOAT32")).model, num_threads=1)
    ends = parse(model).graphs[0]
    taken, given = ends.tensors[ends.inputs[0]], ends.tensors[ends.outputs[0]]
    floats = (window.astype(np.float32) - taken.zero_points[0]) * np.float32(taken.scales[0])
    with captured():
        expected = wide.get_signature_runner()(x=floats)["y"]
        answer = narrow.get_signature_runner()(x=window)["y"]
    found = (answer.astype(np.float32) - given.zero_points[0]) * np.float32(given.scales[0])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_ends_that_do_more_than_quantise_are_left_alone():
    single = one_operator("QUANTIZE", Random(0))
    assert repair(single).model is single
    rescaled = with_ends(network(Random(0), 4), "UINT8")
    shifted = spoilt(rescaled, DEFECTS["float inside"], Random(0))
    assert shifted is not None
    assert "float_inside" in {finding.code for finding in lint.findings(parse(repair(shifted).model))}
