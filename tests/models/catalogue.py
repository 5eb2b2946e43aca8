"""Which operators the random models are made of, and on tensors of how many axes each works."""

from __future__ import annotations

from typing import Final, NamedTuple

from ai_edge_litert import schema_py_generated as schema

from tests.models import elementwise, layers, movement, pooling
from tests.models.elementwise import Builder

_IMAGE: Final = (4,)
_FLAT: Final = (2,)
_ANY: Final = (2, 3, 4)


class Entry(NamedTuple):
    """How an operator is added to a network, reading one wire or more."""

    build: Builder
    ranks: tuple[int, ...]


OPERATORS: Final[dict[str, Entry]] = {
    "CONV_2D": Entry(layers.conv_2d, _IMAGE),
    "DEPTHWISE_CONV_2D": Entry(layers.depthwise_conv_2d, _IMAGE),
    "FULLY_CONNECTED": Entry(layers.fully_connected, _ANY),
    "SVDF": Entry(layers.svdf, _FLAT),
    "AVERAGE_POOL_2D": Entry(pooling.average_pool_2d, _IMAGE),
    "MAX_POOL_2D": Entry(pooling.max_pool_2d, _IMAGE),
    "MEAN": Entry(pooling.mean, (3, 4)),
    "ADD": Entry(elementwise.binary("ADD", schema.AddOptionsT), _ANY),
    "SUB": Entry(elementwise.binary("SUB", schema.SubOptionsT), _ANY),
    "MUL": Entry(elementwise.binary("MUL", schema.MulOptionsT), _ANY),
    "RELU": Entry(elementwise.relu, _ANY),
    "RELU6": Entry(elementwise.relu6, _ANY),
    "LEAKY_RELU": Entry(elementwise.leaky_relu, _ANY),
    "HARD_SWISH": Entry(elementwise.hard_swish, _ANY),
    "LOGISTIC": Entry(elementwise.logistic, _ANY),
    "TANH": Entry(elementwise.tanh, _ANY),
    "SOFTMAX": Entry(elementwise.softmax, _ANY),
    "QUANTIZE": Entry(elementwise.quantize, _ANY),
    "RESHAPE": Entry(movement.reshape, _ANY),
    "TRANSPOSE": Entry(movement.transpose, (3, 4)),
    "PAD": Entry(movement.pad, _ANY),
    "STRIDED_SLICE": Entry(movement.strided_slice, _ANY),
    "RESIZE_NEAREST_NEIGHBOR": Entry(movement.resize_nearest_neighbor, _IMAGE),
    "CONCATENATION": Entry(movement.concatenation, _ANY),
    "SPLIT": Entry(movement.split, _ANY),
    "UNPACK": Entry(movement.unpack, (3, 4)),
}
#: Their kernels ask TFLM for memory beside the tensors.
SCRATCH: Final = frozenset({"MEAN", "SVDF"})
STATEFUL: Final = frozenset({"SVDF"})
EVERY: Final = frozenset(OPERATORS)
