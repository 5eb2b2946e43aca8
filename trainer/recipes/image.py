"""Tiny images and visual wake words: a MobileNet-like stack of depthwise-separable convolutions.

A. Howard et al., "MobileNets", 2017 (arXiv 1704.04861), cut down. After quantisation: CONV_2D,
DEPTHWISE_CONV_2D, MEAN, FULLY_CONNECTED, SOFTMAX.
"""

from __future__ import annotations

from typing import Any

from trainer import network
from trainer.recipes.recipe import Trial

KINDS = ("image",)


class Hyperparameters(network.Hyperparameters, frozen=True, kw_only=True):
    """For pictures of some 8 to 96 pixels a side."""

    blocks: int = 3
    """After the first convolution; each doubles the filters."""
    shrink: int = 2
    """Of the first this many blocks, each halves the picture."""


def build(keras: Any, shape: tuple[int, ...], classes: int, hyper: Hyperparameters) -> Any:
    """(height, width) or (height, width, channels) -> class probabilities."""
    layers = keras.layers
    stack = [keras.Input(shape, name="picture")]
    if len(shape) == 2:
        stack.append(layers.Reshape((*shape, 1), name="channel"))
    first = layers.Conv2D(
        hyper.width, 3, strides=_first_stride(shape), padding="same", use_bias=False, name="conv0"
    )
    stack += [first, *network.normalised(keras, "0")]
    filters = hyper.width
    for block in range(1, hyper.blocks + 1):
        filters *= 2
        strides = 2 if block <= hyper.shrink else 1
        depth = layers.DepthwiseConv2D(
            3, strides=strides, padding="same", use_bias=False, name=f"depth{block}"
        )
        point = layers.Conv2D(filters, 1, use_bias=False, name=f"point{block}")
        stack += [depth, *network.normalised(keras, f"_depth{block}")]
        stack += [point, *network.normalised(keras, f"_point{block}")]
    stack += [
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dropout(hyper.dropout, name="dropout"),
        layers.Dense(classes, activation="softmax", name="probabilities"),
    ]
    return network.classifier(keras, "separable", stack, hyper)


def _first_stride(shape: tuple[int, ...]) -> int:
    """A picture of 48 pixels or more loses little, and most of the work, by halving it at once."""
    return 2 if min(shape[:2]) >= 48 else 1


def space(trial: Trial) -> dict[str, Any]:
    """What a search tries."""
    return {
        "width": trial.suggest_int("width", 4, 32, log=True),
        "blocks": trial.suggest_int("blocks", 1, 4),
        "shrink": trial.suggest_int("shrink", 1, 3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 5e-3, log=True),
    }
