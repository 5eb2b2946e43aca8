"""Tables are made by TFLM in a child process, once for operators that are alike."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converter.image.compiler import compile_image
from converter.image.lookup import tables_in_child
from tests.models.network import Network, Type, Wire


def one(name: str, scale: float = 0.05, zero: int = 3, constant: bool = False) -> bytes:
    net = Network()
    x = net.input((1, 256), 0.05, 3)
    made = Wire(net.tensor(x.shape, Type.INT8, [scale], [zero]), x.shape, scale, zero)
    operands = [x, net.constant(np.ones(1, np.int8), [0.05])] if constant else [x]
    net.operator(name, operands, [made], schema.AddOptionsT() if constant else None)
    return net.finish(made)


def test_a_table_holds_the_result_of_every_value() -> None:
    relu, other = tables_in_child([one("RELU"), one("RELU", zero=-128)])
    values = np.arange(256, dtype=np.uint8).view(np.int8).astype(int)
    assert np.array_equal(relu, np.maximum(values, 3))
    assert np.array_equal(other, np.clip(np.maximum(values, 3) - 131, -128, 127))


def test_one_model_that_tflm_refuses_leaves_the_others_their_tables() -> None:
    first, refused, last = tables_in_child([one("RELU"), one("FLOOR"), one("ABS")])
    assert isinstance(refused, str)
    assert "FLOOR" in refused
    assert np.shape(first) == np.shape(last) == (256,)


def test_a_model_that_ends_tflm_is_told_and_those_before_it_have_their_tables() -> None:
    first, ended = tables_in_child([one("RELU"), one("ADD", scale=1e-9, constant=True)])
    assert np.shape(first) == (256,)
    assert ended == "the model crashes its runtime (signal 6)"


def test_operators_that_are_alike_share_one_table() -> None:
    asked: list[bytes] = []

    def tabulate(models: object) -> list[np.ndarray]:
        asked.extend(models)
        return [np.zeros(256, np.int8) for _ in models]

    net = Network()
    x = net.input((1, 4), 0.05, 0)
    y, z = net.activation((1, 4), 0.05, 0), net.activation((1, 4), 0.05, 0)
    net.operator("RELU", [x], [y])
    net.operator("RELU", [y], [z])
    image = compile_image(net.finish(z), tabulate)
    assert image.ops == ("RELU", "RELU")
    assert len(asked) == 1


def test_options_go_with_the_operator() -> None:
    net = Network()
    x = net.input((1, 4), 0.05, 0)
    y = net.activation((1, 4), 0.05, 0)
    options = schema.LeakyReluOptionsT()
    options.alpha = 0.5
    net.operator("LEAKY_RELU", [x], [y], options)
    image = compile_image(net.finish(y))
    table = np.concatenate([np.arange(128), np.fix(np.arange(-128, 0) / 2 - 0.25)]).astype(np.int8)
    assert table.tobytes() in image.data
