"""Child process: one Keras model to a full-integer int8 ``.tflite``, and its float answers.

Folder: ``model.keras`` or ``saved_model.zip``, ``recipe.json``, ``calibration.npy`` and perhaps
``evaluation.npy`` and training samples (all preprocessed) in; ``model.tflite``, ``float.tflite`` (of the
same weights), perhaps ``ptq.tflite`` (int8 without the recipe) and ``answers.npy`` out. TensorFlow lives
and dies here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converter import saved_model
from converter.child import serve
from converter.forms import fitting, one_by_one, refused
from converter.recipe import Recipe
from wire.errors import InputError, RefusedError

_HINT = "give a Keras 3 model with one float32 input of fixed shape and one output"


def work(folder: Path, _args: list[str]) -> list[int]:
    """The input shape without the batch."""
    import keras

    # Layer names reach the file: the same model must give the same bytes.
    keras.utils.set_random_seed(0)
    recipe = msgspec.json.decode((folder / "recipe.json").read_bytes(), type=Recipe)
    archive = folder / saved_model.ARCHIVE
    if archive.exists() and not recipe.plain:
        raise InputError("no_layers", "a SavedModel has no Keras layers that a recipe could change", _HINT)
    model = saved_model.load(keras, archive) if archive.exists() else _load(keras, folder / "model.keras")
    shape = _input_shape(model)
    calibration = fitting(np.load(folder / "calibration.npy"), shape, "calibration")
    _write_models(model, shape, calibration, recipe, folder)
    evaluation = folder / "evaluation.npy"
    if evaluation.exists():
        inputs = fitting(np.load(evaluation), shape, "evaluation")
        np.save(folder / "answers.npy", np.asarray(model.predict(inputs, verbose=0, batch_size=256)))
    return list(shape)


def _write_models(model: Any, shape: tuple[int, ...], calibration: Any, recipe: Recipe, folder: Path) -> None:
    shaped, ptq = model, quantise(model, shape, calibration)
    if not recipe.plain:
        from converter.reshaping import reshape

        (folder / "ptq.tflite").write_bytes(ptq)
        shaped = reshape(model, recipe, calibration, folder)
        ptq = quantise(shaped, shape, calibration)
    (folder / "model.tflite").write_bytes(ptq)
    (folder / "float.tflite").write_bytes(_convert(_converter(shaped, shape)))


def _load(keras: Any, file: Path) -> Any:
    try:
        return keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:
        words = (str(error).strip().splitlines() or [repr(error)])[0]
        raise InputError("not_keras", f"Keras cannot load the model: {words[:160]}", _HINT) from error


def _input_shape(model: Any) -> tuple[int, ...]:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise RefusedError(
            "many_tensors",
            f"the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs",
            _HINT,
        )
    shape = tuple(model.inputs[0].shape[1:])
    if not shape or None in shape or model.inputs[0].dtype != "float32":
        raise RefusedError("bad_shape", f"the input is {model.inputs[0].dtype} of shape {shape}", _HINT)
    return shape


def quantise(model: Any, shape: tuple[int, ...], calibration: Any) -> bytes:
    """Full-integer int8 with int8 input and output; RefusedError in TensorFlow Lite's words."""
    import tensorflow as tf

    converter = _converter(model, shape)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: one_by_one(calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return _convert(converter)


def _converter(model: Any, shape: tuple[int, ...]) -> Any:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    call = tf.function(lambda x: model(x, training=False))
    # A batch of exactly one, so that no shape is computed on the device; weights as constants.
    frozen = convert_variables_to_constants_v2(
        call.get_concrete_function(tf.TensorSpec((1, *shape), tf.float32, name="input"))
    )
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module())


def _convert(converter: Any) -> bytes:
    try:
        converted: bytes = converter.convert()
    except Exception as error:
        raise refused("int8", error) from error
    return converted


if __name__ == "__main__":
    serve(work)
