"""Anomalies: an autoencoder that knows only the normal, with its squared error and decision in the graph.

The model answers [normal, anomaly], so that devices, gates and the converter treat it as any other one.
The last layer adds the squared errors up and compares the sum with a threshold, which is the error that
a stated share of the validation's normal windows exceeds. Each value's error is first scaled by that of
the threshold and clipped at six times it: without, one outlier's square would set the int8 range, and
three of 256 steps would be left for everything else. After quantisation: FULLY_CONNECTED, SUB, CONV_2D,
MUL, SOFTMAX.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer import network
from trainer.fitting import Labelled, Progress
from trainer.recipes.recipe import Trial

KINDS = ("series", "table")
LABELS = ("normal", "anomaly")
"""In this order; the second is never trained on."""
QUANTISATIONS = ("int8",)
"""Fine-tuning by classes has nothing to learn from where only the normal is known."""
_STEEPNESS = 4.0
"""Logits between an error of nothing and the threshold: at 0, the anomaly's probability is 2 %."""


class Hyperparameters(network.Hyperparameters, frozen=True, kw_only=True):
    """Encoder and decoder of one hidden layer each."""

    width: int = 16
    code: int = 4
    """Values that everything has to pass through."""
    false_positive_rate: float = 0.01
    """Of the validation's normal windows."""


def build(keras: Any, shape: tuple[int, ...], classes: int, hyper: Hyperparameters) -> Any:
    """Any shape, flattened -> (normal, anomaly); the threshold is 1 until ``fit`` finds it."""
    if classes != len(LABELS):
        raise ValueError(f"{classes} classes; an anomaly model has two")
    layers = keras.layers
    window = keras.Input(shape, name="window")
    flat = layers.Flatten(name="flat")(window) if len(shape) > 1 else window
    size = int(np.prod(shape))
    hidden = layers.Dense(hyper.width, activation="relu", name="encoder")(flat)
    code = layers.Dense(hyper.code, activation="relu", name="code")(hidden)
    hidden = layers.Dense(hyper.width, activation="relu", name="decoder")(code)
    again = layers.Dense(size, name="reconstruction")(hidden)
    error = layers.Reshape((size, 1), name="values")(layers.Subtract(name="difference")([flat, again]))
    # Above and below side by side, so that one ReLU6 clips both.
    sides = layers.Conv1D(2, 1, use_bias=False, trainable=False, name="scaled")(error)
    sides = layers.ReLU(6.0, name="clipped")(sides)
    squared = layers.Flatten(name="sides")(layers.Multiply(name="squared")([sides, sides]))
    answer = layers.Dense(2, activation="softmax", name="decision", trainable=False)(squared)
    model = keras.Model(window, answer, name="autoencoder")
    _scale(model, 1.0)
    _decide(model, 1.0)
    return network.compiled(keras, model, hyper)


def fit(
    keras: Any,
    model: Any,
    train: Labelled,
    validation: Labelled,
    hyper: Hyperparameters,
    progress: Progress,
) -> int:
    """Fit the reconstruction of normal windows, then set the threshold; the number of epochs run."""
    normal, judged = _flat(train.x[train.y == 0]), _flat(validation.x[validation.y == 0])

    def report(epoch: int, logs: dict[str, float]) -> None:
        progress(
            f"epoch {epoch + 1}/{hyper.epochs}: error {logs['loss']:.4f}, validation {logs['val_loss']:.4f}"
        )

    again = keras.Model(model.input, model.get_layer("reconstruction").output)
    again.compile(optimizer=keras.optimizers.Adam(hyper.learning_rate), loss="mse")
    stop = keras.callbacks.EarlyStopping("val_loss", patience=hyper.patience, restore_best_weights=True)
    history = again.fit(
        train.x[train.y == 0],
        normal,
        validation_data=(validation.x[validation.y == 0], judged),
        epochs=hyper.epochs,
        batch_size=hyper.batch,
        verbose=0,
        callbacks=[stop, keras.callbacks.LambdaCallback(on_epoch_end=report)],
    )
    found = again.predict(validation.x[validation.y == 0], verbose=0, batch_size=256)
    usual = _exceeded(np.square(judged - found), hyper)
    _scale(model, usual**-0.5)
    threshold = _exceeded(np.square(np.clip((judged - found) * usual**-0.5, -6, 6)), hyper)
    _decide(model, threshold)
    progress(
        f"threshold {usual * threshold:.4g}: exceeded by {hyper.false_positive_rate:.1%} of normal windows"
    )
    return len(history.history["loss"])


def _exceeded(squares: NDArray[np.float32], hyper: Hyperparameters) -> float:
    """The mean of (n, values) that the stated share of the n is above."""
    return max(float(np.quantile(squares.mean(axis=1), 1 - hyper.false_positive_rate)), 1e-9)


def _scale(model: Any, factor: float) -> None:
    model.get_layer("scaled").set_weights([np.array([[[factor, -factor]]], np.float32)])


def _decide(model: Any, threshold: float) -> None:
    """Logits of 2 and -2 for no error, equal at the threshold of the mean of scaled squares."""
    sides = model.get_layer("decision").input.shape[-1]
    slope = np.full(sides, _STEEPNESS / 2 / threshold / (sides // 2))
    bias = _STEEPNESS / 2
    model.get_layer("decision").set_weights(
        [np.stack([-slope, slope], axis=1).astype(np.float32), np.array([bias, -bias], np.float32)]
    )


def _flat(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x.reshape(len(x), -1)


def space(trial: Trial) -> dict[str, Any]:
    """What a search tries."""
    return {
        "width": trial.suggest_int("width", 4, 64, log=True),
        "code": trial.suggest_int("code", 1, 8),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
    }
