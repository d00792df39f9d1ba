"""Write each kind of Darknet layer as ONNX nodes.

Tensors are float32[N, channels, rows, columns]; the batch size is never
written into a shape, so one graph serves fixed and dynamic batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DarknetError
from edgeseg.models.darknet.onnx_activations import add_activation
from edgeseg.models.darknet.onnx_graph import GraphBuilder, TensorSpec
from edgeseg.models.darknet.options import (
    Convolution,
    Epsilon,
    GlobalAverage,
    Multiply,
    Pass,
    Pool,
    Reorg,
    Route,
    Shortcut,
    Upsample,
)
from edgeseg.models.darknet.plan import Layer
from edgeseg.models.darknet.weights import Weights, place

_DIVISORS: dict[Epsilon, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "pjreddie": lambda variance: np.sqrt(variance) + 1e-6,
    "alexeyab": lambda variance: np.sqrt(variance + 1e-5),
    "opencv": lambda variance: np.sqrt(variance + 1e-6),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What the writers of one network share."""

    graph: GraphBuilder
    weights: Weights
    epsilon: Epsilon


@singledispatch
def add_layer(options: object, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    """Append a layer's nodes and give the name of its output."""
    raise TypeError(f"no writer for {options} of {layer.name} ({len(inputs)} inputs, {scene})")


@add_layer.register
def _(options: Convolution, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    name = layer.name
    kernel = (layer.in_shapes[0].channels // options.groups, options.size, options.size)
    specs = (
        TensorSpec(f"{name}_weight", (options.filters, *kernel)),
        TensorSpec(f"{name}_bias", (options.filters,)),
    )
    scene.graph.initializers(specs, lambda: folded(scene.weights, layer, scene.epsilon))
    result = scene.graph.node(
        "Conv",
        [inputs[0], specs[0].name, specs[1].name],
        name,
        kernel_shape=[options.size] * 2,
        strides=options.stride,
        pads=[options.padding] * 4,
        dilations=[options.dilation] * 2,
        group=options.groups,
    )
    return add_activation(scene.graph, options.activation, result, name)


@add_layer.register
def _(options: Pool, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    shape = {
        "kernel_shape": [options.size] * 2,
        "strides": options.stride,
        "pads": options.pads,
    }
    if options.average:
        return scene.graph.node("AveragePool", inputs, layer.name, count_include_pad=0, **shape)
    return scene.graph.node("MaxPool", inputs, layer.name, **shape)


@add_layer.register
def _(options: GlobalAverage, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    del options
    return scene.graph.node("GlobalAveragePool", inputs, layer.name)


@add_layer.register
def _(options: Upsample, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    graph, tensor = scene.graph, inputs[0]
    if options.stride > 1:
        factors = graph.constant([1.0, 1.0, float(options.stride), float(options.stride)])
        tensor = graph.node(
            "Resize",
            [tensor, "", factors],
            layer.name,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    if options.scale != 1:
        factor = graph.constant([options.scale], scalar=True)
        tensor = graph.node("Mul", [tensor, factor], f"{layer.name}_scale")
    return tensor


@add_layer.register
def _(options: Reorg, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    # reorg_cpu in Darknet's blas.c takes the memory of a C x H x W picture for
    # one of C/s^2 x Hs x Ws, moves its s x s squares into channels, and takes the
    # result for Cs^2 x H/s x W/s. `reverse` is the way back from channels.
    graph, step = scene.graph, options.stride
    channels, height, width = layer.in_shapes[0]
    thin = channels // (step * step)
    if options.reverse:
        return graph.node("DepthToSpace", inputs, layer.name, blocksize=step, mode="DCR")
    squares = graph.constant([0, thin, height, step, width, step])
    view = graph.node("Reshape", [inputs[0], squares], f"{layer.name}_view")
    moved = graph.node("Transpose", [view], f"{layer.name}_move", perm=[0, 3, 5, 1, 2, 4])
    return graph.node("Reshape", [moved, graph.constant([0, *layer.shape])], layer.name)


@add_layer.register
def _(options: Route, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    parts = list(inputs)
    if options.groups > 1:
        for position, (tensor, shape) in enumerate(zip(inputs, layer.in_shapes, strict=True)):
            count = shape.channels // options.groups
            name = f"{layer.name}_group_{position}" if len(inputs) > 1 else layer.name
            parts[position] = _channels(
                scene.graph, tensor, options.group_id * count, (options.group_id + 1) * count, name
            )
    return parts[0] if len(parts) == 1 else scene.graph.node("Concat", parts, layer.name, axis=1)


@add_layer.register
def _(options: Shortcut, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    graph, total = scene.graph, inputs[0]
    channels = layer.shape.channels
    for position, (tensor, shape) in enumerate(
        zip(inputs[1:], layer.in_shapes[1:], strict=True), 1
    ):
        name = layer.name if position == len(inputs) - 1 else f"{layer.name}_{position}"
        shared = min(channels, shape.channels)
        added = tensor
        if shape.channels > shared:
            added = _channels(graph, tensor, 0, shared, f"{name}_source")
        if channels == shared:
            total = graph.node("Add", [total, added], name)
            continue
        rest = _channels(graph, total, shared, channels, f"{name}_rest")
        first = _channels(graph, total, 0, shared, f"{name}_first")
        both = graph.node("Add", [first, added], f"{name}_sum")
        total = graph.node("Concat", [both, rest], name, axis=1)
    return add_activation(graph, options.activation, total, layer.name)


@add_layer.register
def _(options: Multiply, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    product = scene.graph.node("Mul", inputs, layer.name)
    return add_activation(scene.graph, options.activation, product, layer.name)


@add_layer.register
def _(options: Pass, scene: Scene, layer: Layer, inputs: Sequence[str]) -> str:
    return add_activation(scene.graph, options.activation, inputs[0], layer.name)


def _channels(graph: GraphBuilder, tensor: str, first: int, end: int, name: str) -> str:
    bounds = [graph.constant([value]) for value in (first, end, 1)]
    return graph.node("Slice", [tensor, *bounds], name)


def folded(
    weights: Weights, layer: Layer, epsilon: Epsilon
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read a convolution and fold its batch normalisation, in float64.

    Gives float32 kernels [filters, channels / groups, size, size] and biases
    [filters]. Raises DarknetError when a variance is negative or the result is
    not finite.
    """
    conv = weights.convolution(layer)
    if conv.scales is None or conv.means is None or conv.variances is None:
        return conv.kernels, conv.biases
    if conv.variances.min() < 0:
        raise _damaged(weights, layer, "has a negative variance")
    with np.errstate(all="ignore"):
        divisor = _DIVISORS[epsilon](conv.variances.astype(np.float64))
        factor = conv.scales / divisor
        kernels, means = conv.kernels, conv.means.astype(np.float64)
        np.multiply(
            kernels, factor[:, None, None, None], out=kernels, dtype=np.float64, casting="same_kind"
        )
        biases = (conv.biases - means * factor).astype(np.float32)
    if not all(
        np.isfinite(edge) for array in (kernels, biases) for edge in (array.min(), array.max())
    ):
        raise _damaged(weights, layer, "is too large for 32 bits once its batch norm is folded")
    return kernels, biases


def _damaged(weights: Weights, layer: Layer, what: str) -> DarknetError:
    return DarknetError(
        f"{place(layer)} {what}",
        file=str(weights.path),
        hint="The file is damaged, or belongs to another cfg.",
    )
