"""Fitting a network; the validation subjects choose the epoch, the test subjects are not seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.network import Hyperparameters

Progress = Callable[[str], None]


def unheard(_message: str) -> None:
    """Progress that nobody asked for."""


class Labelled(NamedTuple):
    """Preprocessed inputs with their classes."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    weight: NDArray[np.float32] | None = None
    """(n,), in the loss; None: all count the same."""


def fit(
    keras: Any, model: Any, train: Labelled, validation: Labelled, hyper: Hyperparameters, progress: Progress
) -> int:
    """Fit ``model`` in place to its best validation loss; the number of epochs run."""

    def report(epoch: int, logs: dict[str, float]) -> None:
        progress(
            f"epoch {epoch + 1}/{hyper.epochs}: loss {logs['loss']:.3f}, "
            f"validation accuracy {logs['val_accuracy']:.3f}"
        )

    stop = keras.callbacks.EarlyStopping("val_loss", patience=hyper.patience, restore_best_weights=True)
    history = model.fit(
        train.x,
        train.y,
        sample_weight=train.weight,
        validation_data=(validation.x, validation.y),
        epochs=hyper.epochs,
        batch_size=hyper.batch,
        verbose=0,
        callbacks=[stop, keras.callbacks.LambdaCallback(on_epoch_end=report)],
    )
    return len(history.history["loss"])


def predict(model: Any, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Most probable class of each input."""
    answers: NDArray[np.int64] = model.predict(x, verbose=0, batch_size=256).argmax(axis=1)
    return answers
