"""The planner against the real interpreter, on random graphs: the same plan, and then a better one."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given

from converter.flatbuffer import parse
from converter.planning.apply import plan_model
from converter.planning.buffers import ALIGNMENT, buffers_of
from converter.planning.builder import AlignedBuilder
from converter.planning.offline import plan_in, with_plan
from converter.planning.placement import greedy, height, overlaps
from converter.planning.search import search
from tests.models.catalogue import EVERY, SCRATCH
from tests.models.layers import conv_2d
from tests.models.movement import resized
from tests.models.network import Network, Type
from tests.models.pooling import mean
from tests.models.random_models import graphs, network
from tests.models.sandbox import Kernels, Sandbox
from wire.errors import InputError


def greedy_head(model: bytes) -> int:
    buffers = buffers_of(parse(model))
    return height(buffers, greedy(buffers))


@given(model=graphs(most=14, operators=EVERY - SCRATCH))
def test_the_reproduced_plan_is_byte_for_byte_that_of_tflm(sandbox: Sandbox, model: bytes):
    (ran,) = sandbox.run([model])
    assert ran.refusal == ""
    assert greedy_head(model) == ran.head


@given(model=graphs(most=14))
def test_the_found_plan_is_valid_never_worse_and_answers_the_same(sandbox: Sandbox, model: bytes):
    parsed = parse(model)
    buffers = buffers_of(parsed)
    plan = search(buffers)
    assert overlaps(buffers, plan.offsets) == []
    assert plan.lower_bound <= plan.head <= plan.greedy_head
    planned = with_plan(model, plan.offsets)
    assert plan_in(planned) == plan.offsets
    for kernels in Kernels:
        before, after = sandbox.run([model, planned], kernels)
        assert (before.refusal, after.refusal) == ("", "")
        np.testing.assert_array_equal(before.outputs, after.outputs)
        if kernels is Kernels.TFLM and not SCRATCH & set(parsed.ops):
            assert after.head == plan.head


def chain(*heights: int, scratch: bool = False) -> bytes:
    """Images of 64 columns, each resized from the last; at the end, if asked, a mean, which wants scratch."""
    net = Network()
    y = net.input((1, heights[0], 64, 1), 0.05, 0)
    for tall in heights[1:]:
        y = resized(net, y, tall, 64)
    if scratch:
        (y,) = mean(net, Random(0), y)
    return net.finish(y)


#: In the proportions of MobileNet's first layers, of which TFLM's planner stacks three.
UNEVEN = (48, 32, 32, 64, 16, 32, 32, 32)


@pytest.mark.parametrize("scratch", [False, True])
def test_a_better_plan_is_shipped_only_after_it_ran(scratch: bool):
    model = chain(*UNEVEN, scratch=scratch)
    planned, report = plan_model(model)
    assert report.applied
    assert report.proof == "bound"
    assert report.head == report.lower_bound < report.greedy_head
    assert report.before.head == report.greedy_head + report.scratch_bytes
    assert report.head <= report.after.head < report.before.head
    assert report.after.confirmed_min < report.before.confirmed_min
    assert report.identical == 20
    assert plan_model(model)[0] == planned, "the same model gives the same file"


def test_a_plan_that_is_optimal_is_kept_as_it_is():
    planned, _ = plan_model(chain(*UNEVEN))
    again, report = plan_model(planned)
    assert again == planned
    assert (report.applied, report.optimal, report.why) == (False, True, "the file's plan is optimal")
    assert report.head == report.lower_bound < report.greedy_head


def test_a_plan_that_wastes_room_is_replaced_even_by_that_of_tflm():
    model = chain(48, 48, 48)
    offsets, room = {}, 0
    for buffer in buffers_of(parse(model)):
        offsets[buffer.tensor], room = room, room + buffer.size
    better, report = plan_model(with_plan(model, offsets))
    assert report.applied
    assert (report.before.head, report.after.head) == (room, greedy_head(model))
    assert plan_in(better) == greedy(buffers_of(parse(model)))


@pytest.mark.parametrize(
    ("name", "head", "total"),
    [("kws/kws_ref_model", 16_000, 24_272), ("ic/pretrainedResnet_quant", 49_152, 55_984)],
)
def test_third_party_models_have_their_published_arena_and_an_optimal_plan(
    shared_models: Path, name: str, head: int, total: int
):
    model = (shared_models / f"{name}.tflite").read_bytes()
    same, report = plan_model(model)
    assert same == model
    assert (report.before.head, report.before.total) == (head, total)
    assert report.greedy_head == report.lower_bound == head
    assert (report.why, report.scratch_bytes) == ("TFLM's own plan is optimal", 0)


def test_a_tensor_that_nothing_uses_is_planned_as_tflm_plans_it(sandbox: Sandbox):
    net = Network()
    x = net.input((1, 6, 6, 4), 0.05, 0)
    net.tensor((1, 6, 6, 300), Type.INT8, [0.05], [0])
    dice = Random(1)
    model = net.finish(*conv_2d(net, dice, *conv_2d(net, dice, x)))
    (ran,) = sandbox.run([model])
    assert greedy_head(model) == ran.head


def test_writing_a_plan_keeps_every_weight_at_a_multiple_of_16():
    model = network(Random(3), 14)
    planned = with_plan(model, search(buffers_of(parse(model))).offsets)
    spans = [tensor.span for tensor in parse(planned).graphs[0].tensors if tensor.span]
    assert spans
    assert all(start % ALIGNMENT == 0 for start, _ in spans)


def test_a_damaged_plan_is_refused_in_words():
    model = network(Random(3), 6)
    other = with_plan(network(Random(4), 12), {0: 0})
    plan = next(
        bytes(other[start : start + 12])
        for start in range(len(other) - 12)
        if other[start : start + 8] == b"\x01\x00\x00\x00\x01\x00\x00\x00"
    )
    mine = with_plan(model, {0: 0})
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(mine))
    tree.buffers[tree.metadata[-1].buffer].data = np.frombuffer(plan, np.uint8)
    builder = AlignedBuilder(1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    with pytest.raises(InputError, match="memory plan has 3 words"):
        plan_in(bytes(builder.Output()))
