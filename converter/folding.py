"""Batch normalisation into the kernels before it, in a child process with Keras.

The folded model computes the same; its kernels are those that int8 will see (B. Jacob et al., CVPR
2018, 3.2). Activations become layers of their own, so that every quantised tensor has one.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

KERNELS = ("Conv1D", "Conv2D", "DepthwiseConv2D", "Dense")


def kind(layer: Any) -> str:
    """Class name."""
    return type(layer).__name__


def fold(model: Any) -> Any:
    """An equivalent functional model without the batch normalisations that follow a kernel."""
    graph = keras.Model(model.inputs, model.outputs, name=model.name)
    after = {layer.name: _norm_after(graph, layer) for layer in graph.layers if kind(layer) in KERNELS}
    gone = {norm.name for norm in after.values() if norm is not None}

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in after:
            config |= {"activation": "linear", "use_bias": layer.use_bias or after[layer.name] is not None}
        return type(layer).from_config(config)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in gone:
            return args[0]
        out = layer(*args, **kwargs)
        wanted = _activation(graph.get_layer(layer.name)) if layer.name in after else "linear"
        if wanted == "linear":
            return out
        return keras.layers.Activation(wanted, name=f"{layer.name}_{wanted}")(out)

    folded = keras.models.clone_model(graph, clone_function=clone, call_function=call)
    _copy_weights(graph, folded, after)
    return folded


def consumers(graph: Any, layer: Any) -> list[Any]:
    """Layers of ``graph`` that take this layer's output, once for each time."""
    outputs = {id(tensor) for node in calls(graph, layer) for tensor in node.output_tensors}
    return [
        node.operation
        for node in _nodes(graph)
        if any(id(tensor) in outputs for tensor in node.input_tensors)
    ]


def calls(graph: Any, layer: Any) -> list[Any]:
    """Nodes of ``graph`` that are this layer's; a loaded layer has others, of graphs that are gone."""
    return [node for node in _nodes(graph) if node.operation is layer]


def _nodes(graph: Any) -> list[Any]:
    return [node for nodes in graph._nodes_by_depth.values() for node in nodes]


def _norm_after(graph: Any, layer: Any) -> Any:
    found = consumers(graph, layer)
    if len(found) != 1 or kind(found[0]) != "BatchNormalization" or _activation(layer) != "linear":
        return None
    last = len(calls(graph, layer)[0].output_tensors[0].shape) - 1
    return found[0] if found[0].axis in (-1, last) and len(calls(graph, layer)) == 1 else None


def _activation(layer: Any) -> str:
    return str(keras.activations.serialize(layer.activation))


def _copy_weights(graph: Any, folded: Any, after: dict[str, Any]) -> None:
    for layer in folded.layers:
        if layer.name not in {old.name for old in graph.layers}:
            continue
        old = graph.get_layer(layer.name)
        norm = after.get(layer.name)
        layer.set_weights(old.get_weights() if norm is None else _folded(old, norm))


def _folded(layer: Any, norm: Any) -> list[Any]:
    kernel, *rest = layer.get_weights()
    channels = len(np.asarray(norm.moving_mean))
    factor = 1.0 / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        factor = factor * np.asarray(norm.gamma)
    offset = np.asarray(norm.beta) if norm.center else np.zeros(channels, np.float32)
    bias = rest[0] if rest else np.zeros(channels, np.float32)
    shaped = factor.reshape(kernel.shape[2:]) if kind(layer) == "DepthwiseConv2D" else factor
    return [kernel * shaped, (bias - np.asarray(norm.moving_mean)) * factor + offset]
