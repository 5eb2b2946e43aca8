"""A SavedModel as a Keras model, so that it takes the same way to int8; in the child that has TensorFlow."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final

from wire.errors import InputError

ARCHIVE: Final = "saved_model.zip"
_SIGNATURE: Final = "serving_default"
_HINT: Final = f"export it with one float32 input of fixed shape and one output as {_SIGNATURE!r}"


def load(keras: Any, archive: Path) -> Any:
    """The signature ``serving_default`` as a Keras model; InputError when there is none that fits."""
    folder = archive.with_suffix("")
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)
    try:
        shape, dtype = _input(folder)
        layer = keras.layers.TFSMLayer(folder, call_endpoint=_SIGNATURE)
        inputs = keras.Input(shape=shape, dtype=dtype, batch_size=None)
        (output,) = layer(inputs).values()
        return keras.Model(inputs, output)
    except InputError:
        raise
    except Exception as error:
        words = (str(error).strip().splitlines() or [repr(error)])[0]
        raise InputError("not_saved_model", f"the SavedModel does not load: {words[:160]}", _HINT) from error


def _input(folder: Path) -> tuple[tuple[int | None, ...], str]:
    import tensorflow as tf

    signature = tf.saved_model.load(str(folder)).signatures.get(_SIGNATURE)
    if signature is None:
        raise InputError("not_saved_model", f"the SavedModel has no signature {_SIGNATURE!r}", _HINT)
    taken = list(signature.structured_input_signature[1].values())
    if len(taken) != 1 or len(signature.structured_outputs) != 1:
        raise InputError(
            "not_saved_model",
            f"{_SIGNATURE!r} has {len(taken)} inputs and {len(signature.structured_outputs)} outputs",
            _HINT,
        )
    return tuple(taken[0].shape[1:]), taken[0].dtype.name
