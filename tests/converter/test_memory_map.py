"""The picture of the arena: well-formed, the same on every run, its rectangles where the planner put them."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from converter.arena import ArenaReport
from converter.flatbuffer import Graph, Model, Operator, Tensor, parse
from converter.memory_map import draw
from converter.planning.buffers import buffers_of
from converter.planning.offline import with_plan
from converter.planning.placement import greedy, height, lower_bound

SVG = "{http://www.w3.org/2000/svg}"


def arena(head: int, tail: int = 1_000) -> ArenaReport:
    return ArenaReport(head=head, tail=tail, total=head + tail, confirmed_min=head + tail)


@pytest.fixture(scope="module")
def model(bundle_dir: Path) -> bytes:
    return (bundle_dir / "model.tflite").read_bytes()


def titles(svg: bytes) -> list[str]:
    tree = ElementTree.fromstring(svg)  # noqa: S314 - our own output
    return [title.text or "" for title in tree.iter(f"{SVG}title")]


def test_every_buffer_is_drawn_with_name_size_and_place(model: bytes):
    parsed = parse(model)
    buffers = buffers_of(parsed)
    offsets = greedy(buffers)
    head = height(buffers, offsets)
    svg = draw(model, parsed, arena(head))
    assert svg is not None
    assert svg == draw(model, parsed, arena(head))
    shown = titles(svg)
    assert shown[0] == f"tail: 1,000 bytes at {head:,}"
    assert len(shown) == 1 + len(buffers)
    for buffer, title in zip(buffers, shown[1:], strict=True):
        name = parsed.graphs[0].tensors[buffer.tensor].name
        assert title == f"{name}: {buffer.size:,} bytes at {offsets[buffer.tensor]:,}"
    text = svg.decode()
    assert f"head {head:,}" in text
    assert f"total {head + 1_000:,}" in text
    assert all(op.name in text for op in parsed.graphs[0].operators)


def test_inputs_outputs_and_the_lower_bound_can_be_told(model: bytes):
    parsed = parse(model)
    buffers = buffers_of(parsed)
    svg = draw(model, parsed, arena(height(buffers, greedy(buffers))))
    assert svg is not None
    tree = ElementTree.fromstring(svg)  # noqa: S314 - our own output
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert texts.count("input") == texts.count("output") == 2
    assert f"no plan can be lower: {lower_bound(buffers):,}" in texts
    fills = {rect.get("fill") for rect in tree.iter(f"{SVG}rect") if len(rect)}
    ends = [fill for fill in fills if fill in ("#1f618d", "#922b21")]
    assert len(ends) == 2


def chain(operators: int) -> Model:
    tensors = tuple(
        Tensor(i, (1, 64 * (1 + i % 7)), "INT8", None, (), (), name=f"block_{i}/relu;fused_{i}")
        for i in range(operators + 1)
    )
    ops = tuple(Operator("DEPTHWISE_CONV_2D", (i,), (i + 1,)) for i in range(operators))
    return Model((Graph(tensors, ops, (0,), (operators,), "i", "o"),), 0)


@pytest.mark.parametrize("operators", [1, 65, 600])
def test_long_models_stay_on_the_page(model: bytes, operators: int):
    parsed = chain(operators)
    svg = draw(model, parsed, arena(height(buffers_of(parsed), greedy(buffers_of(parsed)))))
    assert svg is not None
    tree = ElementTree.fromstring(svg)  # noqa: S314 - our own output
    width, tall = float(tree.get("width", 0)), float(tree.get("height", 0))
    assert 960 <= width <= 4000
    for rect in tree.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width + 0.01
        assert 0 <= y <= y + high <= tall + 0.01
    shown = [text.text for text in tree.iter(f"{SVG}text") if text.get("font-size") == "10"]
    assert (f"{operators} DEPTHWISE_CONV_2D"[:24] in shown) is (operators < 600)


def test_scratch_is_what_the_head_has_beyond_the_tensors(model: bytes):
    parsed = parse(model)
    head = height(buffers_of(parsed), greedy(buffers_of(parsed)))
    svg = draw(model, parsed, arena(head + 64))
    assert svg is not None
    assert f"scratch: 64 bytes at {head:,}" in titles(svg)
    assert draw(model, parsed, arena(head - 16)) is None


def test_a_plan_in_the_file_is_what_is_drawn(model: bytes):
    buffers = buffers_of(parse(model))
    offsets = {tensor: offset + 32 for tensor, offset in greedy(buffers).items()}
    planned = with_plan(model, offsets)
    svg = draw(planned, parse(planned), arena(height(buffers, offsets)))
    assert svg is not None
    assert all(not title.endswith(" at 0") for title in titles(svg))
    del offsets[buffers[0].tensor]
    half = with_plan(model, offsets)
    assert draw(half, parse(half), arena(10**6)) is None


def test_names_that_are_markup_or_unprintable(model: bytes):
    shapes = [(1, 64), (1, 64)]
    tensors = tuple(
        Tensor(i, shape, "INT8", None, (), (), name=name)
        for i, (shape, name) in enumerate(zip(shapes, ("<a>&\x00", ""), strict=True))
    )
    graph = Graph(tensors, (Operator("RELU", (0,), (1,)),), (0,), (1,), "i", "o")
    svg = draw(model, Model((graph,), 0), arena(128))
    assert svg is not None
    assert titles(svg)[1:] == ["<a>&?: 64 bytes at 64", "tensor 1: 64 bytes at 0"]


def test_control_flow_is_not_drawn(model: bytes):
    graph = parse(model).graphs[0]
    assert draw(model, Model((graph, graph), 0), arena(10**6)) is None
