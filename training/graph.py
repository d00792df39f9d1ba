"""Write the trained mask head as ONNX, fp32, batch normalisation and place folded in.

Inputs `crops` float32[N, 3, 128, 128] and `meta` float32[N, 3], output `logits`
float32[N, 1, 64, 64], as `crop.py` says. Opset 17, plain operators only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeseg import __version__
from edgeseg.models.darknet.onnx_graph import GraphBuilder, TensorSpec, tensor_info, write_model
from training.crop import CROP_PX, LOGITS_PX, MARGIN
from training.network import META, Block, Join, MaskHead, PlacedBlock, place

PRIOR = 0.25
PRIOR_SLOPE = 5.0
"""For half a box. Both numbers were chosen on the tuning split."""
Floats = NDArray[np.float32]


def write_graph(net: MaskHead, path: Path) -> str:
    """Write the network and give the file's SHA-256; the same weights give the same bytes."""
    graph = _Graph()
    graph.add(net.eval())
    with path.open("wb") as file:
        return write_model(
            file,
            graph.builder,
            name="mask_head",
            inputs=[
                tensor_info("crops", ["N", 3, CROP_PX, CROP_PX]),
                tensor_info("meta", ["N", META]),
            ],
            outputs=[tensor_info("logits", ["N", 1, LOGITS_PX, LOGITS_PX])],
            producer=("edgeseg", __version__),
            metadata={},
        )


class _Graph:
    """The graph as it grows; every method adds operators and gives the result's name."""

    def __init__(self) -> None:
        self.builder = GraphBuilder()

    def add(self, net: MaskHead) -> None:
        """Add the whole network."""
        features = self._encoder(net)
        _, f1, f2, f3, f4, f5 = features
        scene = self._scene(net, f5)
        deep = self._block(self._block(f5, net.deep[0], "deep0"), net.deep[1], "deep1")
        deep = self._twice(deep, "deep_up")
        x = self.builder.node("Add", [self._block(f4, net.lateral, "lateral4"), deep], "sum")
        x = self.builder.node("Add", [x, scene], "sum_scene")
        x = self._placed(x, net.mix, CROP_PX // 16, "mix4")
        x = self._join(x, f3, net.join3, CROP_PX // 8, "join3")
        x = self._join(x, f2, net.join2, CROP_PX // 4, "join2")
        x = self._join(x, f1, net.join1, CROP_PX // 2, "join1")
        x = self._block(x, net.last[0], "last0")
        x = self._conv(x, _array(net.last[1].weight), _array(net.last[1].bias), "evidence")
        self.builder.node("Add", [x, self._constant("prior", prior())], "logits")

    def _encoder(self, net: MaskHead) -> list[str]:
        features: list[str] = []
        for number, layer in enumerate(net.encoder.layers):
            name = f"encoder{number}"
            x = "crops"
            if features:
                x = self.builder.node(
                    "MaxPool", [features[-1]], f"{name}_pool", kernel_shape=[2, 2], strides=[2, 2]
                )
            x = self._conv(x, _array(layer.weight), _array(layer.bias), f"{name}_conv")
            features.append(self.builder.node("LeakyRelu", [x], name, alpha=0.1))
        return features

    def _scene(self, net: MaskHead, deepest: str) -> str:
        mean = self.builder.node("GlobalAveragePool", [deepest], "mean")
        x = self._linear(mean, net.squeeze, "squeeze")
        x = self.builder.node("Relu", [x], "squeezed")
        shape = self.builder.constant([-1, META, 1, 1])
        meta = self.builder.node("Reshape", ["meta", shape], "meta_map")
        x = self.builder.node("Concat", [x, meta], "scene_in", axis=1)
        return self._linear(x, net.scene, "scene")

    def _join(self, coarse: str, feature: str, join: Join, size: int, name: str) -> str:
        fine = self._twice(coarse, f"{name}_up")
        lateral = self._block(feature, join.lateral, f"{name}_lateral")
        x = self.builder.node("Concat", [fine, lateral], f"{name}_concat", axis=1)
        return self._placed(x, join.mix, size, name)

    def _block(self, x: str, block: Block, name: str) -> str:
        convolution, norm, _ = block
        factors, offsets = _norm(norm)
        kernels = _array(convolution.weight) * factors[:, None, None, None]
        x = self._conv(x, kernels, offsets, f"{name}_conv")
        return self.builder.node("Relu", [x], name)

    def _placed(self, x: str, block: PlacedBlock, size: int, name: str) -> str:
        factors, offsets = _norm(block.norm)
        kernels = _array(block.convolution.weight) * factors[:, None, None, None]
        with torch.no_grad():
            of_place = _array(block.of_place(place(size))) * factors[None, :, None, None]
        middle = of_place.mean((2, 3))[0]
        x = self._conv(x, kernels, offsets + middle, f"{name}_conv")
        rest = of_place - middle[None, :, None, None]
        x = self.builder.node(
            "Add", [x, self._constant(f"{name}_place_map", rest)], f"{name}_placed"
        )
        return self.builder.node("Relu", [x], name)

    def _linear(self, x: str, linear: nn.Linear, name: str) -> str:
        return self._conv(x, _array(linear.weight)[:, :, None, None], _array(linear.bias), name)

    def _conv(
        self, x: str, kernels: NDArray[np.float64], biases: NDArray[np.float64], name: str
    ) -> str:
        weight = self._constant(f"{name}_weight", kernels)
        bias = self._constant(f"{name}_bias", biases)
        size = kernels.shape[-1]
        return self.builder.node(
            "Conv", [x, weight, bias], name, kernel_shape=[size, size], pads=[size // 2] * 4
        )

    def _twice(self, x: str, name: str) -> str:
        scales = self.builder.constant([1.0, 1.0, 2.0, 2.0])
        return self.builder.node(
            "Resize",
            [x, "", scales],
            name,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def _constant(self, name: str, values: NDArray[np.float64]) -> str:
        array: Floats = values.astype(np.float32)
        specs: Sequence[TensorSpec] = (TensorSpec(name, array.shape),)
        self.builder.initializers(specs, lambda: (array,))
        return name


def prior() -> NDArray[np.float64]:
    """Give what is added to the logits, float64[1, 1, 64, 64], for what training does not ask for.

    IoU wants a mask where its probability is a little under one half. And boxes
    are better in use than in training, where some err by a third of a side: what
    lies outside of the box becomes less likely with its distance.
    """
    across = ((np.arange(LOGITS_PX) + 0.5) / LOGITS_PX * (1 + 2 * MARGIN) - MARGIN) * 2 - 1
    outside = np.maximum(np.abs(across)[:, None], np.abs(across)[None]) - 1
    return (PRIOR - PRIOR_SLOPE * np.maximum(outside, 0))[None, None]


def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    return tensor.detach().double().numpy()


def _norm(norm: nn.BatchNorm2d) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give what a batch normalisation multiplies by and adds."""
    factors = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
    return factors, _array(norm.bias) - _array(norm.running_mean) * factors
