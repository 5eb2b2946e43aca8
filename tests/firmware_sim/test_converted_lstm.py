"""An LSTM as TensorFlow fuses, calibrates and quantises it answers with tflite-micro's bytes on every core.

The function is annotated as Keras 2 annotates its LSTM, which is what TensorFlow Lite's converter looks for;
that of Keras 3 has no annotation any more, and converts to a loop.
"""

from __future__ import annotations

import numpy as np
import pytest

from converter.image.compiler import compile_image
from tests.firmware_sim.bench import assert_same
from trainer.backend import silenced

STEPS, VALUES, UNITS, CLASSES = 12, 5, 9, 4
ANNOTATION = {
    "api_implements": "lstm_1",
    "api_preferred_device": "CPU",
    "time_major": False,
    "go_backwards": False,
}


def network(tf, random):
    """(1, STEPS, VALUES) -> LSTM -> dense -> softmax."""

    def standard_lstm(x, hidden, cell, kernel, recurrent, bias):
        outputs = []
        for step in range(STEPS):
            gates = tf.matmul(x[:, step], kernel) + tf.matmul(hidden, recurrent) + bias
            given, kept, fresh, shown = tf.split(gates, 4, axis=1)
            cell = tf.sigmoid(kept) * cell + tf.sigmoid(given) * tf.tanh(fresh)
            hidden = tf.sigmoid(shown) * tf.tanh(cell)
            outputs.append(hidden)
        return hidden, tf.stack(outputs, axis=1), hidden, cell, tf.constant(1.0)

    lstm = tf.function(standard_lstm, autograph=False, experimental_attributes=ANNOTATION)
    shapes = ((VALUES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), (STEPS * UNITS, CLASSES))
    *weights, dense = (random.normal(0, 0.5, shape).astype(np.float32) for shape in shapes)

    @tf.function
    def whole(x):
        zeros = tf.zeros((1, UNITS))
        sequence = lstm(x, zeros, zeros, *map(tf.constant, weights))[1]
        return tf.nn.softmax(tf.matmul(tf.reshape(sequence, (1, STEPS * UNITS)), dense))

    return whole.get_concrete_function(tf.TensorSpec((1, STEPS, VALUES), tf.float32))


@pytest.fixture(scope="module")
def model() -> bytes:
    random = np.random.default_rng(11)
    with silenced():
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_concrete_functions([network(tf, random)], tf.Module())
        samples = random.normal(size=(32, 1, STEPS, VALUES)).astype(np.float32)
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return converter.convert()


def test_converted_lstm(model, oracle):
    assert compile_image(model).ops == ("UNIDIRECTIONAL_SEQUENCE_LSTM", "FULLY_CONNECTED", "SOFTMAX")
    random = np.random.default_rng(12)
    assert_same(model, [random.integers(-128, 128, (1, STEPS, VALUES), np.int8) for _ in range(50)], oracle)
