"""Child process: one float ``.tflite`` to full-integer int8, and its float answers.

Folder: ``source.tflite``, ``calibration.npy`` and perhaps ``evaluation.npy`` (preprocessed) in;
``model.tflite``, ``float.tflite``, perhaps ``int16.tflite`` and ``answers.npy`` out. TensorFlow's calibrator
runs the file; its quantisers are those of the Keras way: MLIR's for int8, the older one for 16x8.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter import float_model
from converter.child import serve
from converter.flatbuffer import parse
from converter.forms import WIDE, Made, fitting, int16_form, one_by_one, refused


def work(folder: Path, args: list[str]) -> Made:
    """See ``Made``; with the argument ``int16`` also the 16x8 form."""
    data = float_model.prepare((folder / "source.tflite").read_bytes())
    (folder / "float.tflite").write_bytes(data)
    main = parse(data).graphs[0]
    shape = main.tensors[main.inputs[0]].shape[1:]
    calibration = fitting(np.load(folder / "calibration.npy"), shape, "calibration")
    int8 = _int8(data, calibration)
    (folder / "model.tflite").write_bytes(int8)
    refusal = int16_form(folder, int8, lambda: _wide(data, calibration)) if WIDE in args else ""
    evaluation = folder / "evaluation.npy"
    if evaluation.exists():
        np.save(folder / "answers.npy", _answers(data, fitting(np.load(evaluation), shape, "evaluation")))
    return Made(shape=list(shape), int16_refused=refusal)


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


def _wide(data: bytes, calibration: Any) -> bytes:
    import tensorflow as tf
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    try:
        made: bytes = Calibrator(data).calibrate_and_quantize(
            lambda: one_by_one(calibration),
            tf.int16,
            tf.int16,
            allow_float=False,
            activations_type=tf.int16,
            bias_type=tf.int64,
        )
    except Exception as error:
        raise refused("16x8", error) from error
    return made


def _answers(data: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The float file's outputs by LiteRT, (n, ...)."""
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
