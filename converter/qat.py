"""Quantisation-aware fine-tuning for Keras 3, in a child process.

While it is trained, the model computes with the values int8 will have: kernels rounded per output
channel, symmetric, to [-127, 127], and tensors rounded per tensor to 256 values between ranges that
begin with those of the calibration samples and follow the batches (exponential moving average). The
rounding has the gradient of the identity within the range. B. Jacob et al., *Quantization and Training
of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, CVPR 2018; batch normalisation stays
frozen, R. Krishnamoorthi, arXiv:1806.08342, 3.3. What comes out is a plain float model, quantised like
any other.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from converter.folding import KERNELS, calls, consumers, kind
from wire.errors import RefusedError

_DECAY: Final = 0.99
_BATCH: Final = 32
_RATE: Final = 1e-3
_ROUNDED: Final = (
    "InputLayer",
    "ReLU",
    "Activation",
    "Add",
    "Concatenate",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
)
"""Layers whose output is a tensor with a range of its own, beside the kernels."""
_PASSING: Final = (
    "AveragePooling1D",
    "AveragePooling2D",
    "Dropout",
    "Flatten",
    "MaxPooling1D",
    "MaxPooling2D",
    "Permute",
    "Reshape",
    "Softmax",
    "ZeroPadding1D",
    "ZeroPadding2D",
)
"""Layers whose output keeps its input's range, or has a fixed one."""


class Rounded(keras.layers.Layer):  # type: ignore[misc]
    """A tensor as int8 would hold it; the range follows what passes while it is trained."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low = self._range(min(low, 0.0))
        self.high = self._range(max(high, 0.0, low + 1e-6))

    def _range(self, value: float) -> Any:
        return self.add_weight(
            shape=(), initializer=keras.initializers.Constant(value), trainable=False, dtype="float32"
        )

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.low.assign(_DECAY * self.low + (1 - _DECAY) * tf.minimum(tf.reduce_min(x), 0.0))
            self.high.assign(_DECAY * self.high + (1 - _DECAY) * tf.maximum(tf.reduce_max(x), 0.0))
        return tf.quantization.fake_quant_with_min_max_vars(x, self.low.value, self.high.value, num_bits=8)


class RoundedKernel(keras.layers.Layer):  # type: ignore[misc]
    """A convolution or dense layer with its kernel as int8 would hold it; zeros stay zero if asked."""

    def __init__(self, inner: Any, keep_zeros: bool) -> None:
        super().__init__()
        self.inner = inner
        kernel = inner.get_weights()[0]
        self.mask = (kernel != 0).astype(np.float32) if keep_zeros else np.ones_like(kernel)

    def build(self, _shape: Any) -> None:
        self.built = True

    def call(self, x: Any) -> Any:
        kernel, *rest = [variable.value for variable in self.inner.trainable_variables]
        rounded = _round_kernel(kernel * self.mask, kind(self.inner) == "DepthwiseConv2D")
        out, _ = self.inner.stateless_call([rounded, *rest], [], x)
        return out


def _round_kernel(kernel: Any, depthwise: bool) -> Any:
    channels = kernel.shape[2] * kernel.shape[3] if depthwise else kernel.shape[-1]
    flat = tf.reshape(kernel, (-1, channels))
    reach = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(flat), axis=0), 1e-7))
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        flat, -reach, reach, num_bits=8, narrow_range=True
    )
    return tf.reshape(rounded, kernel.shape)


def fine_tune(
    folded: Any, calibration: Any, x: Any, y: Any, *, epochs: int, seed: int, keep_zeros: bool
) -> None:
    """Train the weights of ``folded`` (see folding.fold) in place on ``x`` (n, ...), ``y`` (n,) classes.

    RefusedError names a layer that is not supported. The same arguments give the same weights.
    """
    check_supported(folded)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    ranges = _ranges(folded, calibration)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        inner = RoundedKernel(layer, keep_zeros) if kind(layer) in KERNELS else layer
        out = inner(*args, **kwargs)
        return Rounded(*ranges[layer.name])(out) if layer.name in ranges else out

    twin = keras.models.clone_model(folded, clone_function=lambda layer: layer, call_function=call)
    steps = epochs * -(-len(x) // _BATCH)
    rate = keras.optimizers.schedules.CosineDecay(_RATE, steps)
    twin.compile(optimizer=keras.optimizers.Adam(rate), loss=_loss(folded))
    twin.fit(x, y, epochs=epochs, batch_size=_BATCH, verbose=0)


def check_supported(folded: Any) -> None:
    """RefusedError for the first layer that the fine-tuning does not know."""
    for layer in folded.layers:
        known = kind(layer) in (*KERNELS, *_ROUNDED, *_PASSING)
        shared = len(calls(folded, layer)) > 1
        if not known or shared:
            why = "is used more than once" if known else f"is a {kind(layer)}"
            raise RefusedError(
                "qat_unsupported",
                f"layer {layer.name} {why}, which quantisation-aware training does not support",
                "convert without --qat",
            )


def _ranges(folded: Any, calibration: Any) -> dict[str, tuple[float, float]]:
    """Least and largest value of every tensor with a range of its own, by layer."""
    chosen = [layer for layer in folded.layers if _has_range(folded, layer)]
    tensors = keras.Model(folded.inputs, [layer.output for layer in chosen])
    seen = tensors.predict(calibration, verbose=0, batch_size=256)
    values = seen if isinstance(seen, list) else [seen]
    return {layer.name: (float(v.min()), float(v.max())) for layer, v in zip(chosen, values, strict=True)}


def _has_range(folded: Any, layer: Any) -> bool:
    if kind(layer) in KERNELS:
        after = consumers(folded, layer)
        return not (len(after) == 1 and _fused(after[0]))
    return kind(layer) in _ROUNDED and not _squashes(layer)


def _fused(layer: Any) -> bool:
    """Whether TensorFlow Lite makes one operator of a kernel and this activation."""
    return kind(layer) == "ReLU" or (kind(layer) == "Activation" and _name(layer) in ("relu", "relu6"))


def _squashes(layer: Any) -> bool:
    return kind(layer) == "Activation" and _name(layer) in ("softmax", "sigmoid")


def _name(layer: Any) -> str:
    return str(keras.activations.serialize(layer.activation))


def _loss(folded: Any) -> Any:
    last = folded.layers[-1]
    probable = kind(last) == "Softmax" or (kind(last) == "Activation" and _squashes(last))
    if folded.outputs[0].shape[-1] == 1:
        return keras.losses.BinaryCrossentropy(from_logits=not probable)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=not probable)
