"""Random layers of the operators with weights and windows, odd forms included, as hypothesis draws them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from tests.firmware_sim.model_builder import ModelBuilder

Draw = Callable[[st.SearchStrategy], object]
SAME, VALID = 0, 1
ACTIVATIONS = (0, 1, 2, 3)
"""None, RELU, RELU_N1_TO_1, RELU6."""
_SCALE = 0.04


class Value(NamedTuple):
    """A tensor while a model is drawn."""

    index: int
    shape: tuple[int, ...]
    scale: float


class Chain:
    """A model drawn layer by layer; the last value is its output."""

    def __init__(self, draw: Draw, shape: tuple[int, ...]) -> None:
        self.draw = draw
        self.builder = ModelBuilder()
        self.random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.given = self.last = self.value(shape, _SCALE)

    def value(self, shape: tuple[int, ...], scale: float) -> Value:
        zero = int(self.draw(st.sampled_from((0, -128, 127, -1, 37))))
        return Value(self.builder.tensor(shape, scale, zero), shape, scale)

    def model(self) -> bytes:
        return self.builder.finish(self.given.index, self.last.index)

    def inputs(self, count: int) -> list[np.ndarray]:
        return [self.random.integers(-128, 128, self.given.shape, np.int8) for _ in range(count)]

    def weights(self, shape: tuple[int, ...], channel_axis: int, fan_in: int) -> tuple[list[int], float]:
        """Operands weights and (sometimes) bias; scale of the output."""
        draw, outputs = self.draw, shape[channel_axis]
        # From sums far outside int8, which saturate, over shifts to the left, to hardly any difference.
        spread = float(draw(st.sampled_from((0.003, 0.02, 0.1, 1.0, 3.0))))
        real = spread * 128 / (74 * 74 * fan_in**0.5) if spread < 1 else spread
        made = float(draw(st.sampled_from((0.02, 0.04, 0.3))))
        base = real * made / self.last.scale
        per_channel = draw(st.booleans())
        scales = (base * self.random.uniform(0.05, 2, outputs)).tolist() if per_channel else [base]
        values = self.random.integers(-127, 128, shape, np.int8)
        operands = [self.builder.constant(values, scales, axis=channel_axis)]
        if draw(st.booleans()):
            reach = int(draw(st.sampled_from((1, 1000, 100_000))))
            bias = self.random.integers(-reach, reach + 1, outputs, np.int32)
            operands.append(self.builder.constant(bias, [s * self.last.scale for s in scales]))
        return operands, made

    def windows(self, most: int = 5) -> dict[str, int]:
        """Kernel, stride, padding."""
        draw = self.draw
        return {
            "kernel_h": draw(st.integers(1, most)),
            "kernel_w": draw(st.integers(1, most)),
            "strideH": draw(st.integers(1, 3)),
            "strideW": draw(st.integers(1, 3)),
            "padding": draw(st.sampled_from((SAME, VALID))),
        }

    def conv(self, groups: int = 1) -> None:
        draw = self.draw
        _, height, width, depth = self.last.shape
        where = self.windows() if draw(st.booleans()) else pointwise()
        dilation = self._dilation()
        out = out_size((height, width), where, dilation)
        outputs = int(draw(st.integers(1, 9))) * groups
        shape = (outputs, where["kernel_h"], where["kernel_w"], depth // groups)
        operands, scale = self.weights(shape, 0, int(np.prod(shape[1:])))
        made = self.value((1, *out, outputs), scale)
        self._add("CONV_2D", operands, made, "Conv2DOptions", {**where, **dilation})

    def depthwise(self, multiplier: int = 1) -> None:
        _, height, width, depth = self.last.shape
        where, dilation = self.windows(), self._dilation()
        out = out_size((height, width), where, dilation)
        shape = (1, where["kernel_h"], where["kernel_w"], depth * multiplier)
        operands, scale = self.weights(shape, 3, where["kernel_h"] * where["kernel_w"])
        made = self.value((1, *out, shape[3]), scale)
        extra = {**where, **dilation, "depthMultiplier": multiplier}
        self._add("DEPTHWISE_CONV_2D", operands, made, "DepthwiseConv2DOptions", extra)

    def dense(self) -> None:
        rows = int(np.prod(self.last.shape[:-1]))
        inputs = self.last.shape[-1]
        outputs = int(self.draw(st.integers(1, 9)))
        operands, scale = self.weights((outputs, inputs), 0, inputs)
        keep = len(self.last.shape) > 2
        made = self.value((*self.last.shape[:-1], outputs) if keep else (rows, outputs), scale)
        self._add("FULLY_CONNECTED", operands, made, "FullyConnectedOptions", {"keepNumDims": keep})

    def pool(self, name: str) -> None:
        _, height, width, depth = self.last.shape
        where = self.windows()
        out = out_size((height, width), where, {})
        made = Value(
            self.builder.tensor((1, *out, depth), self.last.scale, self._zero(self.last.index)),
            (1, *out, depth),
            self.last.scale,
        )
        options = {**where, "filterHeight": where["kernel_h"], "filterWidth": where["kernel_w"]}
        self._add(name, [], made, "Pool2DOptions", options)

    def softmax(self) -> None:
        beta = float(self.draw(st.sampled_from((0.1, 1.0, 3.5, 40.0, 1e4))))
        made = Value(self.builder.tensor(self.last.shape, 1 / 256, -128), self.last.shape, 1 / 256)
        self.builder.op("SOFTMAX", [self.last.index], [made.index], "SoftmaxOptions", beta=beta)
        self.last = made

    def _zero(self, index: int) -> int:
        return int(self.builder.tensors[index].quantization.zeroPoint[0])

    def _dilation(self) -> dict[str, int]:
        if not self.draw(st.booleans()):
            return {"dilationHFactor": 1, "dilationWFactor": 1}
        return {
            "dilationHFactor": self.draw(st.integers(1, 3)),
            "dilationWFactor": self.draw(st.integers(1, 3)),
        }

    def _add(self, name: str, operands: list[int], made: Value, options: str, values: dict[str, int]) -> None:
        fields = {key: value for key, value in values.items() if not key.startswith("kernel")}
        fields["fusedActivationFunction"] = self.draw(st.sampled_from(ACTIVATIONS))
        self.builder.op(name, [self.last.index, *operands], [made.index], options, **fields)
        self.last = made


def pointwise() -> dict[str, int]:
    return {"kernel_h": 1, "kernel_w": 1, "strideH": 1, "strideW": 1, "padding": VALID}


def out_size(size: tuple[int, int], where: dict[str, int], dilation: dict[str, int]) -> tuple[int, int]:
    """Height and width; a VALID kernel larger than its input becomes SAME."""
    reaches = [(where[f"kernel_{a}"] - 1) * dilation.get(f"dilation{a.upper()}Factor", 1) + 1 for a in "hw"]
    strides = [where["strideH"], where["strideW"]]
    if any(reach > length for reach, length in zip(reaches, size, strict=True)):
        where["padding"] = SAME
    if where["padding"] == SAME:
        found = [-(-length // stride) for length, stride in zip(size, strides, strict=True)]
    else:
        found = [(n - r) // s + 1 for n, r, s in zip(size, reaches, strides, strict=True)]
    return found[0], found[1]
