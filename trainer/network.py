"""The network: a small 1-D CNN whose int8 form needs only operators that TFLM has."""

from __future__ import annotations

from typing import Any

import msgspec


class Hyperparameters(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that shapes the network and its fit, the seed aside."""

    width: int = 16
    """Filters of the first convolution; the others have twice as many."""
    dropout: float = 0.3
    epochs: int = 40
    patience: int = 10
    """Epochs without a better validation loss before stopping."""
    batch: int = 64
    learning_rate: float = 2e-3
    field_weight: float = 1.0
    """How many times a window that devices sent from the field counts in the loss."""


def build(keras: Any, shape: tuple[int, int], classes: int, hyper: Hyperparameters) -> Any:
    """A compiled model of (length, channels) -> class probabilities.

    After quantisation: RESHAPE, CONV_2D, MEAN, FULLY_CONNECTED, SOFTMAX.
    """
    layers = keras.layers
    stack = [keras.Input(shape, name="window")]
    for index, (filters, kernel) in enumerate([(hyper.width, 7), (2 * hyper.width, 5), (2 * hyper.width, 5)]):
        stack += [
            layers.Conv1D(filters, kernel, strides=2, padding="same", use_bias=False, name=f"conv{index}"),
            # Keras' default of .99 leaves stale statistics after so few batches.
            layers.BatchNormalization(momentum=0.9, name=f"norm{index}"),
            layers.ReLU(name=f"relu{index}"),
        ]
    stack += [
        layers.GlobalAveragePooling1D(name="pool"),
        layers.Dropout(hyper.dropout, name="dropout"),
        layers.Dense(classes, activation="softmax", name="probabilities"),
    ]
    model = keras.Sequential(stack, name="cnn1d")
    model.compile(
        optimizer=keras.optimizers.Adam(hyper.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
