"""Rows of a table, or short windows taken as such: a multi-layer perceptron.

After quantisation: FULLY_CONNECTED, SOFTMAX.
"""

from __future__ import annotations

from typing import Any

from trainer import network
from trainer.recipes.recipe import Trial

KINDS = ("table",)


class Hyperparameters(network.Hyperparameters, frozen=True, kw_only=True):
    """Two hidden layers by default."""

    layers: int = 2
    """Hidden layers of ``width`` units."""


def build(keras: Any, shape: tuple[int, ...], classes: int, hyper: Hyperparameters) -> Any:
    """Any shape, flattened -> class probabilities."""
    layers = keras.layers
    stack = [keras.Input(shape, name="row")]
    if len(shape) > 1:
        stack.append(layers.Flatten(name="flat"))
    for index in range(hyper.layers):
        stack.append(layers.Dense(hyper.width, use_bias=False, name=f"dense{index}"))
        stack += network.normalised(keras, str(index))
    stack += [
        layers.Dropout(hyper.dropout, name="dropout"),
        layers.Dense(classes, activation="softmax", name="probabilities"),
    ]
    return network.classifier(keras, "mlp", stack, hyper)


def space(trial: Trial) -> dict[str, Any]:
    """What a search tries."""
    return {
        "width": trial.suggest_int("width", 4, 128, log=True),
        "layers": trial.suggest_int("layers", 1, 3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
    }
