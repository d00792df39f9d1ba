"""Small ONNX files as other programs export them, written with onnx.helper: no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
ELEMENT = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
}
Shape = Sequence[int | str | None]


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[str, Shape]],
    outputs: Mapping[str, tuple[str, Shape]],
    weights: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str] = {},
) -> Path:
    """Write a network; inputs and outputs are name to (dtype, shape)."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(n, ELEMENT[d], list(s)) for n, (d, s) in inputs.items()],
        [helper.make_tensor_value_info(n, ELEMENT[d], list(s)) for n, (d, s) in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    helper.set_model_props(model, dict(metadata))
    onnx.save(model, path)
    return path


def fixed_net(
    path: Path,
    outputs: Mapping[str, NDArray[Any]],
    *,
    size: tuple[int | str, int | str] = (64, 64),
    dtype: str = "float32",
    batch: int | str = 1,
    metadata: Mapping[str, str] = {},
    shapes: Mapping[str, Shape] = {},
) -> Path:
    """Write a network that gives the same numbers whatever it is shown."""
    width, height = size
    return save(
        path,
        [helper.make_node("Identity", [f"{name}.value"], [name]) for name in outputs],
        {"images": (dtype, (batch, 3, height, width))},
        {n: (str(a.dtype), shapes.get(n, a.shape)) for n, a in outputs.items()},
        {f"{name}.value": array for name, array in outputs.items()},
        metadata,
    )


def ultralytics(names: Sequence[str] = ("cat", "dog"), **more: str) -> dict[str, str]:
    """Give metadata as ultralytics writes them."""
    return {"stride": "32", "names": str(dict(enumerate(names))), "task": "detect"} | more


class Net:
    """Collects the nodes of a network with random weights."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, NDArray[Any]] = {}
        self._rng = np.random.default_rng(seed)

    def add(self, kind: str, *inputs: str, name: str | None = None, **options: Any) -> str:
        output = name or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **options))
        return output

    def weight(self, array: NDArray[Any]) -> str:
        name = f"weight{len(self.weights)}"
        self.weights[name] = array
        return name

    def conv(self, x: str, ins: int, outs: int, k: int = 3, *, dilation: int = 1, **options) -> str:
        scale = 1 / np.sqrt(ins * k * k)
        w = (self._rng.standard_normal((outs, ins, k, k)) * scale).astype(np.float32)
        b = (self._rng.standard_normal(outs) * 0.1).astype(np.float32)
        pad = dilation * (k // 2)
        return self.add(
            "Conv", x, self.weight(w), self.weight(b),
            pads=[pad] * 4, dilations=[dilation] * 2, **options,
        )  # fmt: skip

    def block(self, x: str, ins: int, outs: int, **options: Any) -> str:
        return self.add("Relu", self.conv(x, ins, outs, **options))

    def resize(self, x: str, sizes: Sequence[int], name: str | None = None) -> str:
        whole = self.weight(np.array(sizes, np.int64))
        return self.add("Resize", x, "", "", whole, name=name, mode="linear")

    def save(
        self, path: Path, size: tuple[int, int], outputs: Mapping[str, int], **more: Any
    ) -> Path:
        """Write it; outputs are name to channels, of the input's size."""
        width, height = size
        return save(
            path,
            self.nodes,
            {"input": ("float32", (1, 3, height, width))},
            {name: ("float32", (1, count, height, width)) for name, count in outputs.items()},
            self.weights,
            **more,
        )


def fcn(path: Path, size: tuple[int, int] = (96, 64), classes: int = 21, **more: Any) -> Path:
    """As torchvision's FCN is exported: outputs `out` and `aux`, logits at the input's size."""
    net, (width, height) = Net(1), size
    low = net.block(net.block("input", 3, 8, strides=[2, 2]), 8, 16, strides=[2, 2])
    deep = net.block(low, 16, 24, strides=[2, 2])
    full = (1, classes, height, width)
    net.resize(net.conv(net.block(deep, 24, 8), 8, classes, 1), full, "out")
    net.resize(net.conv(low, 16, classes, 1), full, "aux")
    return net.save(path, size, {"out": classes, "aux": classes}, **more)


def deeplab(path: Path, size: tuple[int, int] = (96, 64), classes: int = 21) -> Path:
    """As torchvision's DeepLabV3: dilated branches and one over the whole picture."""
    net, (width, height) = Net(2), size
    low = net.block(net.block("input", 3, 8, strides=[2, 2]), 8, 16, strides=[2, 2])
    branches = [net.block(low, 16, 8, k=1)]
    branches += [net.block(low, 16, 8, dilation=d) for d in (2, 4, 6)]
    pooled = net.block(net.add("GlobalAveragePool", low), 16, 8, k=1)
    branches.append(net.resize(pooled, (1, 8, height // 4, width // 4)))
    joined = net.block(net.add("Concat", *branches, axis=1), 40, 16, k=1)
    full = (1, classes, height, width)
    net.resize(net.conv(joined, 16, classes, 1), full, "out")
    net.resize(net.conv(low, 16, classes, 1), full, "aux")
    return net.save(path, size, {"out": classes, "aux": classes})


def unet(
    path: Path, size: tuple[int, int] = (64, 64), classes: int = 1, *, sigmoid: bool = True
) -> Path:
    """A U-Net with one skip; one channel through a sigmoid unless said otherwise."""
    net = Net(3)
    first = net.block("input", 3, 8)
    down = net.block(net.add("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2]), 8, 16)
    up = net.resize(down, (1, 16, size[1], size[0]))
    joined = net.block(net.add("Concat", first, up, axis=1), 24, 8)
    last = net.conv(joined, 8, classes, 1)
    net.add("Sigmoid" if sigmoid else "Identity", last, name="mask")
    return net.save(path, size, {"mask": classes})
