"""Keywords: the depthwise-separable CNN over a spectrogram-like picture of a second of sound.

Y. Zhang et al., "Hello Edge: Keyword Spotting on Microcontrollers", 2017 (arXiv 1711.07128), DS-CNN.
After quantisation: RESHAPE, CONV_2D, DEPTHWISE_CONV_2D, MEAN, FULLY_CONNECTED, SOFTMAX.
"""

from __future__ import annotations

from typing import Any

from trainer import network
from trainer.recipes.recipe import Trial
from wire.errors import InputError

KINDS = ("audio",)


class Hyperparameters(network.Hyperparameters, frozen=True, kw_only=True):
    """DS-CNN's small form."""

    width: int = 64
    """Filters of every layer."""
    blocks: int = 4
    kernel_frames: int = 10
    kernel_bins: int = 4
    """Of the first convolution."""


def build(keras: Any, shape: tuple[int, ...], classes: int, hyper: Hyperparameters) -> Any:
    """(frames, bins) or (frames, bins, 1) -> class probabilities; InputError for raw sound."""
    if len(shape) not in (2, 3) or min(shape[:2]) < 4:
        raise InputError(
            "no_features",
            f"the keyword recipe takes features of (frames, bins), this data has shape {shape}",
            "choose a preprocessing that makes them",
        )
    layers = keras.layers
    stack = [keras.Input(shape, name="features")]
    if len(shape) == 2:
        stack.append(layers.Reshape((*shape, 1), name="picture"))
    kernel = (min(hyper.kernel_frames, shape[0]), min(hyper.kernel_bins, shape[1]))
    first = layers.Conv2D(hyper.width, kernel, strides=2, padding="same", use_bias=False, name="conv0")
    stack += [first, *network.normalised(keras, "0")]
    for block in range(1, hyper.blocks + 1):
        depth = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"depth{block}")
        point = layers.Conv2D(hyper.width, 1, use_bias=False, name=f"point{block}")
        stack += [depth, *network.normalised(keras, f"_depth{block}")]
        stack += [point, *network.normalised(keras, f"_point{block}")]
    stack += [
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dropout(hyper.dropout, name="dropout"),
        layers.Dense(classes, activation="softmax", name="probabilities"),
    ]
    return network.classifier(keras, "ds_cnn", stack, hyper)


def space(trial: Trial) -> dict[str, Any]:
    """What a search tries."""
    return {
        "width": trial.suggest_int("width", 8, 96, log=True),
        "blocks": trial.suggest_int("blocks", 1, 5),
        "kernel_frames": trial.suggest_categorical("kernel_frames", [4, 7, 10]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 5e-3, log=True),
    }
