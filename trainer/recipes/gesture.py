"""Gestures and other motions: a 1-D CNN over a window of a sensor's series.

After quantisation: RESHAPE, CONV_2D, perhaps DEPTHWISE_CONV_2D, MEAN, FULLY_CONNECTED, SOFTMAX.
"""

from __future__ import annotations

from typing import Any

from trainer import network
from trainer.recipes.recipe import Trial

KINDS = ("series",)


class Hyperparameters(network.Hyperparameters, frozen=True, kw_only=True):
    """The default is the network that the demo's fleet runs."""

    blocks: int = 3
    """Convolutions; each halves the length."""
    kernel: int = 7
    """Samples under the first convolution; the others take two fewer."""
    separable: bool = False
    """Depthwise and pointwise convolutions after the first: fewer multiplications, more activations."""


def build(keras: Any, shape: tuple[int, ...], classes: int, hyper: Hyperparameters) -> Any:
    """(length, channels) -> class probabilities."""
    layers = keras.layers
    stack = [keras.Input(shape, name="window")]
    for index in range(hyper.blocks):
        filters = hyper.width if index == 0 else 2 * hyper.width
        kernel = hyper.kernel if index == 0 else max(3, hyper.kernel - 2)
        where = {"strides": 2, "padding": "same", "use_bias": False}
        if hyper.separable and index:
            stack += [
                layers.DepthwiseConv1D(kernel, **where, name=f"depth{index}"),
                layers.Conv1D(filters, 1, use_bias=False, name=f"conv{index}"),
            ]
        else:
            stack.append(layers.Conv1D(filters, kernel, **where, name=f"conv{index}"))
        stack += network.normalised(keras, str(index))
    stack += [
        layers.GlobalAveragePooling1D(name="pool"),
        layers.Dropout(hyper.dropout, name="dropout"),
        layers.Dense(classes, activation="softmax", name="probabilities"),
    ]
    return network.classifier(keras, "cnn1d", stack, hyper)


def space(trial: Trial) -> dict[str, Any]:
    """What a search tries."""
    return {
        "width": trial.suggest_int("width", 4, 48, log=True),
        "blocks": trial.suggest_int("blocks", 2, 4),
        "kernel": trial.suggest_categorical("kernel", [3, 5, 7, 9]),
        "separable": trial.suggest_categorical("separable", [False, True]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 5e-3, log=True),
    }
