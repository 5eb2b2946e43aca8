"""Small models as others would bring them, made by TensorFlow in a process of its own.

``python -m tests.converter.foreign FOLDER``
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

SHAPE = (8, 8, 1)


def make(folder: Path) -> Path:
    command = [sys.executable, "-m", "tests.converter.foreign", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    return folder


def write(folder: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    net = _images(keras, folder)
    _open_batch(net, folder)
    _odd_ones(keras, net, folder)
    _detector(keras, folder)


def _images(keras, folder: Path):
    """Digits by a net that flattens, briefly trained: ``images.keras``, ``images.npz``, folder ``saved``."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x = (data.images[order] / 16).astype(np.float32)[..., np.newaxis]
    y = data.target[order].astype(np.int64)
    layers = keras.layers
    net = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    net.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    net.fit(x[:1200], y[:1200], epochs=3, batch_size=64, verbose=0)
    np.savez(folder / "images.npz", x=x[1200:], y=y[1200:])
    np.savez(folder / "unseen.npz", x=x[:100], y=y[:100])
    net.save(folder / "images.keras")
    net.export(folder / "saved", verbose=False)
    return net


def _open_batch(net, folder: Path) -> None:
    """Shapes computed from an open batch; the same with float16 weights; and with int8 ones (hybrid)."""
    import tensorflow as tf

    (folder / "open.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(net).convert())
    for name, types in (("half", [tf.float16]), ("hybrid", [])):
        converter = tf.lite.TFLiteConverter.from_keras_model(net)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = types
        (folder / f"{name}.tflite").write_bytes(converter.convert())


def _odd_ones(keras, net, folder: Path) -> None:
    import tensorflow as tf

    layers = keras.layers
    bodies = {
        "gelu": [layers.Conv2D(4, 3), layers.Activation(keras.activations.gelu)],
        "wider": [layers.Conv2D(4, 3), layers.UpSampling2D(2, interpolation="bilinear")],
        "elu": [layers.Conv2D(4, 3), layers.Activation("elu")],
        "loop": [layers.Reshape((8, 8)), layers.LSTM(4)],
    }
    for name, body in bodies.items():
        odd = keras.Sequential(
            [keras.Input(batch_shape=(1, *SHAPE)), *body, layers.Flatten(), layers.Dense(10)]
        )
        (folder / f"{name}.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(odd).convert())
    four = tf.function(lambda x: net(x, training=False)).get_concrete_function(tf.TensorSpec((4, *SHAPE)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([four], net)
    (folder / "four.tflite").write_bytes(converter.convert())


def _detector(keras, folder: Path) -> None:
    """An autoencoder of benign cases of scikit-learn's breast cancer data; class 1 is malignant."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(data.target))
    x, y = data.data[order], (data.target[order] == 0).astype(np.int64)
    seen = np.flatnonzero(y == 0)[:200]
    x = ((x - x[seen].mean(axis=0)) / x[seen].std(axis=0)).astype(np.float32)
    layers = keras.layers
    widths = [(24, "relu"), (12, "relu"), (4, "linear"), (12, "relu"), (24, "relu"), (30, "linear")]
    net = keras.Sequential([keras.Input((30,)), *(layers.Dense(n, activation=act) for n, act in widths)])
    net.compile(keras.optimizers.Adam(2e-3), "mse")
    net.fit(x[seen], x[seen], epochs=100, batch_size=32, verbose=0)
    rest = np.setdiff1d(np.arange(len(y)), seen)
    np.savez(folder / "detector.npz", x=x[rest], y=y[rest])
    net.save(folder / "detector.keras")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
