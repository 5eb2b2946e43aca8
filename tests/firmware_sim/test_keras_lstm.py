"""A Keras LSTM as TensorFlow really converts it answers with tflite-micro's bytes on every core."""

from __future__ import annotations

import numpy as np
import pytest

from converter.image.compiler import compile_image
from tests.firmware_sim.bench import assert_same

STEPS, VALUES = 12, 5


@pytest.fixture(scope="module")
def model() -> bytes:
    """Untrained: what matters is its form."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(11)
    given = tf.keras.Input(batch_shape=(1, STEPS, VALUES))
    hidden = tf.keras.layers.LSTM(9, return_sequences=True)(given)
    hidden = tf.keras.layers.LSTM(7)(hidden)
    network = tf.keras.Model(given, tf.keras.layers.Dense(4, activation="softmax")(hidden))
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    random = np.random.default_rng(11)
    converter.representative_dataset = lambda: (
        [random.normal(size=(1, STEPS, VALUES)).astype(np.float32)] for _ in range(32)
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def test_keras_lstm(model, oracle):
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in compile_image(model).ops
    random = np.random.default_rng(12)
    assert_same(model, [random.integers(-128, 128, (1, STEPS, VALUES), np.int8) for _ in range(20)], oracle)
