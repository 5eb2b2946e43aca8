"""Child process: a float ``.tflite`` to int16 activations and int8 weights, between int8 ends.

Folder: ``float.tflite``, its int8 twin ``model.tflite`` and ``calibration.npy`` in; ``int16.tflite`` out.
A process of its own, for TensorFlow may crash on what it makes int8 without trouble.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from converter.child import serve
from converter.forms import one_by_one, refused
from converter.int8_ends import with_int8_ends


def work(folder: Path, _args: list[str]) -> None:
    """Write ``int16.tflite``; RefusedError in TensorFlow Lite's words."""
    import tensorflow as tf
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    calibration = np.load(folder / "calibration.npy")
    try:
        wide: bytes = Calibrator((folder / "float.tflite").read_bytes()).calibrate_and_quantize(
            lambda: one_by_one(calibration),
            tf.int16,
            tf.int16,
            allow_float=False,
            activations_type=tf.int16,
            bias_type=tf.int64,
        )
    except Exception as error:
        raise refused("16x8", error) from error
    (folder / "int16.tflite").write_bytes(with_int8_ends(wide, (folder / "model.tflite").read_bytes()))


if __name__ == "__main__":
    serve(work)
