"""The picture of the arena: well-formed, the same on every run, its rectangles where the planner put them."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from converter.arena import ArenaReport
from converter.flatbuffer import Graph, Model, Operator, Tensor, parse
from converter.memory_map import draw
from converter.planning.buffers import buffers_of
from converter.planning.offline import with_plan
from converter.planning.placement import greedy, height

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
