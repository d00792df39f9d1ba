"""Export a Darknet network as ONNX with raw heads.

Input `images`: float32[N, 3, height, width], RGB from 0 to 1. Outputs `head_0`,
`head_1`, …: what enters each [yolo] or [region] section, in cfg order,
float32[N, channels, rows, columns]. Layers that no head needs are left out. A
`Recipe` makes the numbers fp16 or INT8; both ends may then be float16.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from edgeseg.errors import ModelError
from edgeseg.files import written_aside
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.metadata import WRITER_VERSION, describe
from edgeseg.models.darknet.onnx_graph import GraphBuilder, tensor_info, write_model
from edgeseg.models.darknet.onnx_layers import Scene, add_layer
from edgeseg.models.darknet.options import IMAGE, Epsilon
from edgeseg.models.darknet.plan import Network, plan_network
from edgeseg.models.darknet.weights import Weights, read_weights
from edgeseg.models.onnx_model import KEY, Metadata
from edgeseg.quantize.graph import quantize
from edgeseg.quantize.half import to_half
from edgeseg.quantize.recipe import FP32, Recipe
from edgeseg.types import HeadSpec, Model, Size

Progress = Callable[[int, int], None]
"""Hears of each written layer: done, total."""


def export(
    cfg_path: Path,
    weights_path: Path,
    output: Path,
    *,
    size: Size | None = None,
    names: Path | None = None,
    batch: int | None = 1,
    name: str | None = None,
    epsilon: Epsilon = "opencv",
    recipe: Recipe = FP32,
    progress: Progress | None = None,
) -> Model:
    """Write a Darknet cfg and its weights as one ONNX file.

    `size` (width, height) replaces the size of [net]; `batch=None` leaves the
    batch open; `epsilon` says how batch normalisation divides; `recipe` is the
    precision. The same input gives the same bytes. Raises DarknetError; ModelError
    when `output` cannot be written, and then leaves nothing there.
    """
    network = plan_network(parse_cfg(cfg_path), size)
    metadata = describe(
        network,
        cfg_path,
        weights_path,
        names=names,
        batch=batch,
        name=name,
        epsilon=epsilon,
        recipe=recipe,
    )
    try:
        sha256 = write(
            network, weights_path, output, metadata, epsilon, recipe=recipe, progress=progress
        )
    except OSError as error:
        raise ModelError(
            f"{output} cannot be written: {error.strerror}",
            hint="Choose another place, or make room on the disk.",
        ) from error
    return metadata.model(output, sha256)


def write(
    network: Network,
    weights_path: Path,
    output: Path,
    metadata: Metadata,
    epsilon: Epsilon = "opencv",
    *,
    recipe: Recipe = FP32,
    taps: Collection[str] = (),
    progress: Progress | None = None,
) -> str:
    """Write the ONNX file and give its SHA-256.

    `taps` are inner tensors that become outputs as well, after the heads. Raises
    DarknetError, ModelError, and OSError for `output`.
    """
    with read_weights(weights_path, network) as weights:
        builder = build(network, weights, epsilon)
        _apply(recipe, builder, len(network.heads))
        batch: int | str = "batch" if metadata.batch is None else metadata.batch
        width, height = network.input_px
        dtype = "float16" if recipe.io == "fp16" else "float32"
        with written_aside(output) as aside, aside.open("wb") as file:
            return write_model(
                file,
                builder,
                name=metadata.name,
                inputs=[tensor_info("images", [batch, 3, height, width], dtype)],
                outputs=[
                    *_outputs(network, batch, dtype),
                    *(tensor_info(tap, None) for tap in taps),
                ],
                producer=("edgeseg", str(WRITER_VERSION)),
                metadata={KEY: metadata.to_json()},
                progress=progress,
            )


def build(network: Network, weights: Weights, epsilon: Epsilon = "opencv") -> GraphBuilder:
    """Give the fp32 graph; its weights are read when it is written, while `weights` is open."""
    builder = GraphBuilder()
    _add_layers(network, Scene(builder, weights, epsilon))
    return builder


def _apply(recipe: Recipe, builder: GraphBuilder, heads: int) -> None:
    outputs = [f"head_{number}" for number in range(heads)]
    if recipe.precision == "int8":
        quantize(builder, recipe, outputs)
    if recipe.half:
        to_half(builder, outputs, casts=recipe.io == "fp32")


def _add_layers(network: Network, scene: Scene) -> None:
    tensors = {IMAGE: "images"}
    heads: dict[str, str] = {}
    for layer in network.layers:
        if not layer.used:
            continue
        inputs = [tensors[index] for index in layer.inputs]
        if isinstance(layer.options, HeadSpec):
            heads[f"head_{len(heads)}"] = inputs[0]
        else:
            tensors[layer.index] = add_layer(layer.options, scene, layer, inputs)
    given: dict[str, str] = {}
    for output, tensor in heads.items():
        if tensor in given:
            scene.graph.node("Identity", [given[tensor]], output)
        else:
            scene.graph.rename(tensor, output)
            given[tensor] = output


def _outputs(network: Network, batch: int | str, dtype: str) -> list[Any]:
    return [
        tensor_info(f"head_{number}", [batch, *layer.shape], dtype)
        for number, layer in enumerate(network.heads)
    ]
