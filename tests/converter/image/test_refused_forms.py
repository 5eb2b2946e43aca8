"""Forms that the runtime lacks are refused when the image is compiled, by operator and reason."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from converter.image.compiler import compile_image
from tests.models.network import Network, Type, Wire
from wire.errors import InputError, RefusedError


class Form(NamedTuple):
    """One operator on an input of ``given``; ``constants`` are its further operands."""

    name: str
    why: str
    given: tuple[int, ...] = (1, 4)
    made: tuple[int, ...] = (1, 4)
    constants: tuple[Any, ...] = ()
    settings: dict[str, Any] = {}
    options: str = ""
    scale: float = 0.5
    """Of the output; the input's is 0.5."""
    first: bool = False
    """Whether the constants come before the input."""
    outputs: int = 1


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def wide(*shape: int) -> np.ndarray:
    return np.ones(shape, np.int8)


FORMS = [
    Form("ADD", "output scale far below", scale=1e-7, constants=(wide(1, 4),)),
    Form("ADD", "operands of INT32", constants=(ints(1, 2, 3, 4),)),
    Form("ADD", "fused activation 4", constants=(wide(1, 4),), settings={"fusedActivationFunction": 4}),
    Form("MUL", r"makes \(1, 4\) of \(3,\)", constants=(wide(3),)),
    Form("MAXIMUM", "goes along 5 axes", (2, 1, 2, 1, 2), (2, 2, 2, 2, 2), (wide(1, 2, 1, 2, 1),)),
    Form("MINIMUM", "lacks operand 1"),
    Form("CONCATENATION", "fused activation", settings={"axis": 1, "fusedActivationFunction": 1}),
    Form("CONCATENATION", "several scales", settings={"axis": 1}, scale=0.25),
    Form("CONCATENATION", "several ranks", made=(4,), settings={"axis": 0}),
    Form("CONCATENATION", "parts that are 4 long", made=(1, 5), settings={"axis": 1}),
    Form("CONCATENATION", "axis 2 of 2", settings={"axis": 2}),
    Form("CONCATENATION", "does not follow", made=(2, 4), settings={"axis": 1}),
    Form("PACK", "of 1 tensors", made=(2, 1, 4), settings={"axis": 0, "valuesCount": 2}),
    Form("UNPACK", "makes 1 tensors", made=(1,), settings={"axis": 1, "num": 4}),
    Form("SPLIT", "another rank", made=(4,), constants=(ints(1),), first=True),
    Form("SPLIT", "makes parts of 3", made=(1, 3), constants=(ints(1),), first=True),
    Form("SPLIT_V", "float32 for operand 2", constants=(ints(4), np.ones(1, np.float32))),
    Form("SLICE", "slices 1 axes", constants=(ints(0), ints(1))),
    Form("SLICE", r"slices \[0, 3\] to \[1, 5\]", made=(1, 2), constants=(ints(0, 3), ints(1, 2))),
    Form("STRIDED_SLICE", "other axes", constants=(ints(0), ints(1), ints(1))),
    Form(
        "STRIDED_SLICE",
        "an ellipsis",
        constants=(ints(0, 0), ints(1, 4), ints(1, 1)),
        settings={"ellipsisMask": 1},
    ),
    Form(
        "STRIDED_SLICE",
        "a new axis",
        constants=(ints(0, 0), ints(1, 4), ints(1, 1)),
        settings={"newAxisMask": 1},
    ),
    Form("STRIDED_SLICE", "step of 0", constants=(ints(0, 0), ints(1, 4), ints(1, 0))),
    Form(
        "STRIDED_SLICE",
        "place 4 of 4",
        made=(1,),
        constants=(ints(0, 4), ints(1, 5), ints(1, 1)),
        settings={"shrinkAxisMask": 2},
    ),
    Form("STRIDED_SLICE", "does not follow", constants=(ints(0, 0), ints(1, 3), ints(1, 1))),
    Form("TRANSPOSE", "the order", constants=(ints(0, 0),)),
    Form("TRANSPOSE", "goes along 6 axes", (2,) * 6, (2,) * 6, (ints(5, 4, 3, 2, 1, 0),)),
    Form("PAD", "another scale", made=(1, 6), constants=(ints(0, 0, 1, 1),), scale=0.25),
    Form("PAD", "pads", made=(1, 5), constants=(ints(0, 0, 1, 1),)),
    Form("PAD", "pads", made=(1, 3), constants=(ints(0, 0, -1, 0),)),
    Form("PADV2", "value of another scale", made=(1, 6), constants=(ints(0, 0, 1, 1), wide(1)), scale=0.5),
    Form("MIRROR_PAD", "mirrors 4 of 4", made=(1, 8), constants=(ints(0, 0, 4, 0),)),
    Form("RESIZE_NEAREST_NEIGHBOR", r"goes from \(1, 4\)", constants=(ints(1, 4),)),
    Form("RESIZE_NEAREST_NEIGHBOR", "an input of", (2, 1, 1, 1), (2, 1, 1, 1), (ints(1, 1),)),
    Form("LOGISTIC", r"has no table \(.*logistic", scale=0.5),
    Form("ADD", r"has no table \(the model crashes", scale=1e-9, constants=(wide(1),)),
    Form("RELU", r"makes \(1, 5\) of", made=(1, 5)),
    Form("RELU", "operands of INT16", made=(1, 4), settings={"out": Type.INT16}),
    Form("MEAN", "over axes", made=(1, 3), constants=(ints(0),)),
    Form("MEAN", "axis 2 of 2", constants=(ints(2),)),
    Form("MEAN", "goes along 4 axes", (2,) * 8, (2, 1) * 4, (ints(1, 3, 5, 7),)),
    Form("REDUCE_MAX", "another scale", made=(1, 1), constants=(ints(1),), scale=0.25),
    Form("NEG", "is not among its kernels"),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.name}: {form.why}")
def test_a_form_without_a_kernel_is_refused_by_name(form: Form) -> None:
    with pytest.raises(RefusedError, match=rf"operator 0, {form.name}, .*{form.why}"):
        compile_image(model(form))


def test_a_computed_order_is_refused() -> None:
    net = Network()
    x = net.input((1, 4), 0.5, 0)
    made = net.activation((1, 4), 0.5, 0)
    net.operator("TRANSPOSE", [x, x], [made], schema.TransposeOptionsT())
    with pytest.raises(RefusedError, match="operator 0, TRANSPOSE, computes its operand 1"):
        compile_image(net.finish(made))


@pytest.mark.parametrize("name", ["RELU", "MEAN", "RESHAPE"])
def test_a_constant_where_values_are_computed_is_refused(name: str) -> None:
    net = Network()
    x = net.input((1, 4), 0.5, 0)
    constant = net.constant(wide(1, 4), [0.5])
    first, made = net.activation((1, 4), 0.5, 0), net.activation((1, 4), 0.5, 0)
    net.operator(name, [constant, net.constant(ints(0))][: 1 if name == "RELU" else 2], [first])
    net.operator("ADD", [x, first], [made], schema.AddOptionsT())
    with pytest.raises(RefusedError, match=f"operator 0, {name}, has a constant where it computes"):
        compile_image(net.finish(made))


def test_a_model_without_operators_is_refused() -> None:
    net = Network()
    with pytest.raises(RefusedError, match="the model computes nothing"):
        compile_image(net.finish(net.input((1, 4), 0.5, 0)))


@pytest.mark.parametrize("name", ["MIRROR_PAD", "RESIZE_NEAREST_NEIGHBOR"])
def test_settings_that_are_missing_or_of_another_operator_are_refused(name: str) -> None:
    for options in (None, schema.ConcatenationOptionsT()):
        net = Network()
        x = net.input((1, 1, 1, 4), 0.5, 0)
        made = net.activation((1, 1, 1, 4), 0.5, 0)
        sides = np.zeros((4, 2), np.int32) if name == "MIRROR_PAD" else ints(1, 1)
        net.operator(name, [x, net.constant(sides)], [made], options)
        with pytest.raises(RefusedError, match=f"operator 0, {name}, lacks the settings"):
            compile_image(net.finish(made))


def test_a_tensor_beyond_all_memories_is_refused() -> None:
    net = Network()
    x = net.input((1, 4), 0.5, 0)
    made = net.activation((2**20, 2**20), 0.5, 0)
    net.operator("RELU", [x], [made])
    with pytest.raises(InputError, match="tensor 1 has 1099511627776 values"):
        compile_image(net.finish(made))


def model(form: Form) -> bytes:
    net = Network()
    settings = dict(form.settings)
    out = settings.pop("out", Type.INT8)
    x = net.input(form.given, 0.5, 0)
    made = Wire(net.tensor(form.made, out, [form.scale], [0]), form.made, form.scale, 0)
    constants = [net.constant(one, [0.25] if one.dtype == np.int8 else []) for one in form.constants]
    operands = [*constants, x] if form.first else [x, *constants]
    net.operator(form.name, operands, [made], options_of(form.name, settings))
    return net.finish(made)


def options_of(name: str, settings: dict[str, Any]) -> Any:
    kind = {
        "MAXIMUM": "MaximumMinimum",
        "MINIMUM": "MaximumMinimum",
        "PADV2": "PadV2",
        "SPLIT_V": "SplitV",
        "MEAN": "Reducer",
        "REDUCE_MAX": "Reducer",
    }
    words = kind.get(name) or "".join(word.capitalize() for word in name.split("_"))
    made = getattr(schema, f"{words}OptionsT", lambda: None)()
    for field, value in settings.items():
        assert hasattr(made, field)
        setattr(made, field, value)
    return made
