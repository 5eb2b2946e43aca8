"""What networks of all recipes share: the hyperparameters of a fit, and how a classifier is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Hyperparameters(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that shapes a network and its fit, the seed aside; recipes add fields of their own."""

    width: int = 16
    """Filters or units of the first layer."""
    dropout: float = 0.3
    epochs: int = 40
    patience: int = 10
    """Epochs without a better validation loss before stopping."""
    batch: int = 64
    learning_rate: float = 2e-3
    field_weight: float = 1.0
    """How many times a window that devices sent from the field counts in the loss."""
    preprocessing: str = "standardise-v1"
    """One of ``trainer.preparing``'s kinds."""


def classifier(keras: Any, name: str, stack: Sequence[Any], hyper: Hyperparameters) -> Any:
    """The layers of ``stack``, the last a softmax, as a compiled model."""
    return compiled(keras, keras.Sequential(list(stack), name=name), hyper)


def compiled(keras: Any, model: Any, hyper: Hyperparameters) -> Any:
    """``model`` for whole-number classes and Adam."""
    model.compile(
        optimizer=keras.optimizers.Adam(hyper.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def normalised(keras: Any, name: str) -> list[Any]:
    """Batch normalisation, folded into the layer before when quantised, and ReLU."""
    # Keras' default momentum of .99 leaves stale statistics after so few batches.
    return [
        keras.layers.BatchNormalization(momentum=0.9, name=f"norm{name}"),
        keras.layers.ReLU(name=f"relu{name}"),
    ]
