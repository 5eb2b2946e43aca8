"""TensorFlow and Keras: imported on first use, on the CPU, deterministic, and without their chatter."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_ENVIRONMENT: Final = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    # oneDNN picks kernels by CPU model; without it, more machines give the same weights.
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


def keras_with_seed(seed: int) -> Any:
    """The keras module, with every generator seeded, deterministic kernels and fresh layer names."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with silenced():
        import keras
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
    return keras


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what native code and third parties print or warn meanwhile; exceptions still pass."""
    with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = os.dup(1), os.dup(2)
        try:
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
            yield
        finally:
            for fd, target in zip(saved, (1, 2), strict=True):
                os.dup2(fd, target)
                os.close(fd)
