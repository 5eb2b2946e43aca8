"""A small net on scikit-learn's handwritten digits (8x8); its channels may be badly scaled.

``python -m tests.converter.digits FOLDER IMBALANCE``: Keras stays in a process of its own.
"""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Digits(NamedTuple):
    model: Path
    calibration: Path
    training: Path
    evaluation: Path
    answers: Path
    """Classes by Keras for the evaluation samples."""
    odd: Path
    """A model with a layer that fine-tuning does not know."""


def files_in(folder: Path) -> Digits:
    names = ("model.keras", "c.npz", "t.npz", "e.npz", "answers.npy", "odd.keras")
    return Digits(*(folder / name for name in names))


def make(folder: Path, imbalance: float = 0.0) -> Digits:
    command = [sys.executable, "-m", "tests.converter.digits", str(folder), str(imbalance)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return files_in(folder)


def train(folder: Path, imbalance: float, epochs: int = 20) -> None:
    """Train, rescale and save; ``imbalance`` is the reach of the channels' scales in powers of ten.

    A channel of a ReLU may be scaled, and the kernel after it scaled back, without any change in
    float; int8 has one scale for all of them (M. Nagel et al., ICCV 2019, 3.2 and 4.1).
    """
    import keras
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x = (data.images[order] / 16).astype(np.float32)[..., np.newaxis]
    y = data.target[order].astype(np.int64)
    keras.utils.set_random_seed(0)
    model = _network(keras)
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    model.fit(x[:1200], y[:1200], epochs=epochs, batch_size=64, verbose=0)
    _unbalance(model, np.logspace(-imbalance, imbalance, 8).astype(np.float32))
    files = files_in(folder)
    model.save(files.model)
    _odd(keras).save(files.odd)
    np.save(files.answers, model.predict(x[1200:], verbose=0).argmax(axis=1))
    np.savez(files.calibration, x=x[:200], index=order[:200])
    np.savez(files.training, x=x[:1200], y=y[:1200])
    np.savez(files.evaluation, x=x[1200:], y=y[1200:], labels=np.array([str(n) for n in range(10)]))


def _odd(keras):
    layers = keras.layers
    stack = [keras.Input((8, 8, 1)), layers.Conv2DTranspose(4, 3, name="wide"), layers.Flatten()]
    return keras.Sequential([*stack, layers.Dense(10)])


def _network(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="first"),
            layers.BatchNormalization(momentum=0.9, name="norm"),
            layers.ReLU(name="relu"),
            layers.DepthwiseConv2D(3, name="depthwise", activation="relu"),
            layers.Conv2D(16, 1, activation="relu", name="pointwise"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="digits",
    )


def _unbalance(model, scales) -> None:
    norm, depthwise = model.get_layer("norm"), model.get_layer("depthwise")
    norm.gamma.assign(norm.gamma * scales)
    norm.beta.assign(norm.beta * scales)
    kernel, bias = depthwise.get_weights()
    depthwise.set_weights([kernel / scales[:, np.newaxis], bias])


if __name__ == "__main__":
    train(Path(sys.argv[1]), float(sys.argv[2]))
