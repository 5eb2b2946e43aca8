"""A recipe carried out on a Keras model, in the child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from converter import folding, pruning, qat
from converter.recipe import Recipe
from wire.errors import InputError


def reshape(model: Any, recipe: Recipe, calibration: Any, folder: Path) -> Any:
    """A folded copy, pruned, fine-tuned and clustered, in that order; the model itself stays.

    Training samples are ``train_x.npy`` and ``train_y.npy`` of ``folder``.
    """
    folded = folding.fold(model)
    if recipe.prune:
        _each_kernel(folded, lambda kernel: pruning.prune(kernel, recipe.prune))
    if recipe.qat_epochs:
        x, y = np.load(folder / "train_x.npy"), np.load(folder / "train_y.npy")
        _check_training(model, x, y)
        qat.fine_tune(
            folded,
            calibration,
            x,
            y,
            epochs=recipe.qat_epochs,
            seed=recipe.seed,
            keep_zeros=recipe.prune > 0,
        )
    if recipe.clusters:
        _each_kernel(folded, lambda kernel: pruning.cluster(kernel, recipe.clusters))
    return folded


def _each_kernel(folded: Any, change: Any) -> None:
    for layer in folded.layers:
        if folding.kind(layer) in folding.KERNELS and folding.kind(layer) != "DepthwiseConv2D":
            kernel, *rest = layer.get_weights()
            layer.set_weights([change(kernel), *rest])


def _check_training(model: Any, x: Any, y: Any) -> None:
    shape, classes = tuple(model.inputs[0].shape[1:]), int(model.outputs[0].shape[-1])
    if x.shape[1:] != shape or len(model.outputs[0].shape) != 2 or y.max() >= max(2, classes):
        raise InputError(
            "wrong_shape",
            f"training samples have shape {x.shape[1:]} and classes up to {y.max()}, the model takes {shape} "
            f"and answers with {classes}",
            "give --qat samples of the model's input, with its classes",
        )
