"""Child process: one float ``.tflite`` to full-integer int8, and its float answers.

Folder: ``source.tflite``, ``calibration.npy`` and perhaps ``evaluation.npy`` (preprocessed) in;
``model.tflite``, ``float.tflite`` and perhaps ``answers.npy`` out. TensorFlow's calibrator runs the file and
the quantiser is that of the Keras way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter import float_model
from converter.child import serve
from converter.flatbuffer import parse
from converter.forms import fitting, one_by_one, refused


def work(folder: Path, _args: list[str]) -> list[int]:
    """The input shape without the batch."""
    source = (folder / "source.tflite").read_bytes()
    data = float_model.prepare(source)
    (folder / "float.tflite").write_bytes(data)
    main = parse(data).graphs[0]
    shape = main.tensors[main.inputs[0]].shape[1:]
    calibration = fitting(np.load(folder / "calibration.npy"), shape, "calibration")
    (folder / "model.tflite").write_bytes(_int8(data, calibration))
    evaluation = folder / "evaluation.npy"
    if evaluation.exists():
        inputs = fitting(np.load(evaluation), shape, "evaluation")
        np.save(folder / "answers.npy", _answers(source, inputs))
    return list(shape)


def _int8(data: bytes, calibration: Any) -> bytes:
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    try:
        calibrated = Calibrator(data).calibrate(lambda: one_by_one(calibration))
        made: bytes = mlir_quantize(
            calibrated, fully_quantize=True, input_data_type=tf.int8, output_data_type=tf.int8
        )
    except Exception as error:
        raise refused("int8", error) from error
    return made


def _answers(data: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The outputs by LiteRT of the file as it was given, (n, ...)."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    answers = []
    for window in inputs:
        interpreter.set_tensor(given, window[np.newaxis])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(answer)[0])
    return np.stack(answers)


if __name__ == "__main__":
    serve(work)
