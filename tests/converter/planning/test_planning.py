"""The planner against the real interpreter, on random graphs: the same plan, and then a better one."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.flatbuffer import parse
from converter.planning.apply import plan_model
from converter.planning.buffers import ALIGNMENT, Buffer, buffers_of
from converter.planning.builder import AlignedBuilder
from converter.planning.offline import plan_in, with_plan, without_plan
from converter.planning.placement import greedy, height, overlaps
from converter.planning.search import search
from runtimes import open_model
from runtimes.tflm import TflmInterpreter
from tests.converter.planning.graph_builder import GraphBuilder, random_graph
from wire.errors import InputError
from wire.states import NumericsFamily

AMPLE = 1024 * 1024
GRAPHS = st.builds(random_graph, st.integers(0, 10**6), st.integers(2, 14))


def windows(model: bytes, count: int = 3) -> np.ndarray:
    graph = parse(model).graphs[0]
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(5).integers(-128, 128, (count, *shape), np.int8)


def measured_head(model: bytes) -> int:
    interpreter = TflmInterpreter(model, AMPLE)
    interpreter.run(windows(model, 1)[0])
    return interpreter.arena().head


@settings(max_examples=40)
@given(model=GRAPHS)
def test_the_reproduced_plan_is_byte_for_byte_that_of_tflm(model: bytes) -> None:
    buffers = buffers_of(parse(model))
    assert height(buffers, greedy(buffers)) == measured_head(model)


@settings(max_examples=40)
@given(model=GRAPHS)
def test_the_found_plan_is_valid_never_worse_and_answers_the_same(model: bytes) -> None:
    buffers = buffers_of(parse(model))
    plan = search(buffers, steps=300)
    assert overlaps(buffers, plan.offsets) == []
    assert all(offset % ALIGNMENT == 0 for offset in plan.offsets.values())
    assert plan.lower_bound <= plan.head <= plan.greedy_head
    planned = with_plan(model, plan.offsets)
    assert plan_in(planned) == plan.offsets
    assert measured_head(planned) == plan.head
    for family in NumericsFamily:
        before, after = open_model(family, model, AMPLE), open_model(family, planned, AMPLE)
        for window in windows(model):
            np.testing.assert_array_equal(before.run(window), after.run(window))


BUFFERS = st.lists(
    st.builds(
        lambda size, first, length: (size * ALIGNMENT, first, first + length),
        st.integers(1, 60),
        st.integers(0, 12),
        st.integers(0, 5),
    ),
    max_size=14,
).map(lambda rows: [Buffer(index, *row) for index, row in enumerate(rows)])


@given(buffers=BUFFERS)
def test_any_set_of_buffers_gets_a_valid_plan_between_bound_and_greedy(buffers: list[Buffer]) -> None:
    plan = search(buffers, steps=200)
    assert overlaps(buffers, plan.offsets) == []
    assert plan.lower_bound <= plan.head <= plan.greedy_head
    assert plan.greedy_head == height(buffers, greedy(buffers))
    assert plan == search(buffers, steps=200), "the same file gives the same plan"


def mobile_buffers() -> list[Buffer]:
    """Activations of MobileNet v1 0.25 on 96x96x3, as its published layer table has them."""
    sides = [(48, 8), (48, 8), (48, 16), (24, 16), (24, 32), (24, 32), (24, 32), (12, 32), (12, 64)]
    sides += [(12, 64), (12, 64), (6, 64), (6, 128)] + [(6, 128)] * 10 + [(3, 128)] + [(3, 256)] * 3
    sizes = [96 * 96 * 3, *(side * side * channels for side, channels in sides)]
    return [Buffer(scope, size, scope, scope + 1) for scope, size in enumerate(sizes)]


def test_a_mobilenet_gets_a_quarter_off_its_head_and_the_bound_proves_it_optimal() -> None:
    plan = search(mobile_buffers())
    assert (plan.greedy_head, plan.head, plan.lower_bound) == (73_728, 55_296, 55_296)
    assert plan.optimal


def first_improvable() -> bytes:
    """The first random graph that leaves TFLM's plan room."""
    for seed in range(200):
        model = random_graph(seed, 12)
        buffers = buffers_of(parse(model))
        if height(buffers, greedy(buffers)) > search(buffers).head:
            return model
    raise AssertionError("no graph of 200 leaves room")


def test_a_better_plan_is_shipped_only_after_it_ran() -> None:
    model = first_improvable()
    planned, report = plan_model(model)
    assert report.applied
    assert report.head < report.greedy_head == report.before.head
    assert report.after.head == report.head
    assert report.after.confirmed_min < report.before.confirmed_min
    assert report.identical == 20
    assert plan_model(model)[0] == planned, "the same model gives the same file"


def test_planning_a_planned_file_changes_nothing() -> None:
    planned, _ = plan_model(first_improvable())
    again, report = plan_model(planned)
    assert not report.applied or report.after.confirmed_min <= report.before.confirmed_min
    assert report.head <= report.greedy_head
    assert plan_in(again) == plan_in(planned)


@pytest.mark.parametrize(
    ("name", "head", "total"),
    [("kws/kws_ref_model", 16_000, 24_272), ("ic/pretrainedResnet_quant", 49_152, 55_984)],
)
def test_third_party_models_have_their_published_arena_and_an_optimal_plan(
    shared_models: Path, name: str, head: int, total: int
) -> None:
    model = (shared_models / f"{name}.tflite").read_bytes()
    same, report = plan_model(model)
    assert same == model
    assert (report.before.head, report.before.total) == (head, total)
    assert report.greedy_head == report.lower_bound == head
    assert (report.why, report.scratch_bytes) == ("TFLM's own plan is optimal", 0)


def test_a_tensor_that_nothing_uses_is_planned_as_tflm_plans_it() -> None:
    builder = GraphBuilder(4, seed=1)
    builder.idle(300)
    builder.conv(builder.conv(builder.input, 12), 6)
    model = builder.finish()
    buffers = buffers_of(parse(model))
    assert height(buffers, greedy(buffers)) == measured_head(model)


def test_writing_a_plan_keeps_every_weight_at_a_multiple_of_16() -> None:
    model = random_graph(3, 14)
    planned = with_plan(model, search(buffers_of(parse(model))).offsets)
    spans = [tensor.span for tensor in parse(planned).graphs[0].tensors if tensor.span]
    assert spans
    assert all(start % ALIGNMENT == 0 for start, _ in spans)


def test_a_damaged_plan_is_refused_in_words() -> None:
    model = random_graph(3, 6)
    other = with_plan(random_graph(4, 12), {0: 0})
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
    with pytest.raises(InputError, match="memory plan has 12 bytes"):
        plan_in(bytes(builder.Output()))


def test_a_plan_can_be_taken_out_again() -> None:
    model = first_improvable()
    planned, report = plan_model(model)
    bare = without_plan(planned)
    assert plan_in(bare) is None
    assert measured_head(bare) == report.before.head > measured_head(planned)
    assert without_plan(bare) == bare
