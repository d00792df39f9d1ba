"""Make the trained network INT8, as explicit pairs of quantizers in the graph.

Symmetric int8, one scale for each filter of the weights and one for each
quantized tensor, floating-point biases: TensorRT's parser takes no zero points
but 0 and no int32 biases.

ONNX Runtime's kernels on x86 multiply unsigned by signed numbers. It turns a
signed pair into an unsigned one only where the quantizer has one reader, so a
tensor that several operators read gets a pair for each of them; and it runs a
convolution in 8 bits only between pairs, so there is one behind it, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from training.augment import Sample

BATCH = 16
LEVELS = 127
BINS = 2048
QUANTIZED = frozenset({"Conv", "MaxPool", "Resize", "Concat"})
MOVERS = frozenset({"MaxPool", "Resize"})
"""They change no number, so what they give has the scale of what they take."""
KEPT = frozenset({"scene", "scene_in", "evidence"})
"""Small, or where a mask's edge is decided."""
Floats = NDArray[np.float32]


def quantize(fp32: Path, int8: Path, samples: Sequence[Sample], kept: Iterable[str] = KEPT) -> None:
    """Write `int8` from `fp32`; the samples choose the scales, nodes in `kept` stay as they are."""
    model = onnx.load(str(fp32))
    rewriter = _Rewriter(model, frozenset(kept))
    rewriter.scales = scales_of(model, rewriter.wanted(), samples)
    rewriter.rewrite()
    onnx.checker.check_model(model, full_check=True)
    int8.write_bytes(model.SerializeToString(deterministic=True))


def scales_of(model: Any, tensors: Sequence[str], samples: Sequence[Sample]) -> dict[str, float]:
    """Give each tensor the scale with the least squared error over the samples.

    Two passes: the largest magnitude, then a histogram of magnitudes.
    """
    largest = dict.fromkeys(tensors, 0.0)
    for values in _runs(model, tensors, samples):
        for name, array in values.items():
            largest[name] = max(largest[name], float(np.abs(array).max()))
    counts = {name: np.zeros(BINS) for name in tensors}
    for values in _runs(model, tensors, samples):
        for name, array in values.items():
            limits = (0.0, max(largest[name], 1e-9))
            counts[name] += np.histogram(np.abs(array), BINS, limits)[0]
    return {name: best_scale(counts[name], max(largest[name], 1e-9)) for name in tensors}


def best_scale(counts: NDArray[np.float64], largest: float) -> float:
    """Give the scale that loses least: smaller ones cut off the top, larger ones are coarse."""
    centres = (np.arange(len(counts)) + 0.5) * largest / len(counts)
    candidates = np.linspace(0.2, 1.0, 81) * largest / LEVELS
    errors = [
        float(counts @ (centres - np.minimum(np.rint(centres / s), LEVELS) * s) ** 2)
        for s in candidates
    ]
    return float(candidates[int(np.argmin(errors))])


def _runs(
    model: Any, tensors: Sequence[str], samples: Sequence[Sample]
) -> Iterator[Mapping[str, Floats]]:
    """Run the network batch by batch and give the named tensors."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    inputs = {value.name for value in shown.graph.input}
    inner = [name for name in tensors if name not in inputs]
    shown.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in inner
    )
    session = onnxruntime.InferenceSession(
        shown.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        crops = np.stack([sample.crop for sample in batch]).transpose(0, 3, 1, 2) / 255
        feed = {"crops": crops, "meta": np.stack([sample.meta for sample in batch])}
        found = dict(zip(inner, session.run(inner, feed), strict=True))
        yield found | {name: feed[name] for name in tensors if name in inputs}


class _Rewriter:
    """One graph, its nodes replaced in order."""

    def __init__(self, model: Any, kept: frozenset[str]) -> None:
        self._graph = model.graph
        self._constants = {tensor.name: tensor for tensor in self._graph.initializer}
        self._kept = kept
        self._made_quantized: set[str] = set()
        self._new: list[Any] = []
        self.scales: Mapping[str, float] = {}

    def wanted(self) -> list[str]:
        """Name the tensors that need a scale."""
        names: dict[str, None] = {}
        for node in filter(self._is_quantized, self._graph.node):
            names.update(dict.fromkeys([*self._tensors(node), node.output[0]]))
        return list(names)

    def rewrite(self) -> None:
        """Put the pairs into the graph."""
        nodes = list(self._graph.node)
        for node in nodes:
            self._node(node) if self._is_quantized(node) else self._new.append(node)
        del self._graph.node[:]
        self._graph.node.extend(self._new)

    def _is_quantized(self, node: Any) -> bool:
        return node.op_type in QUANTIZED and node.name not in self._kept

    def _tensors(self, node: Any) -> list[str]:
        return [name for name in node.input if name and name not in self._constants]

    def _node(self, node: Any) -> None:
        made, read = node.output[0], self._tensors(node)
        for position, name in enumerate(node.input):
            if name in read and name not in self._made_quantized:
                node.input[position] = self._pair(name, f"{name}_for_{node.name}", name)
        if node.op_type == "Conv":
            node.input[1] = self._weight(node.input[1])
        node.output[0] = f"{made}_float"
        self._new.append(node)
        self._pair(f"{made}_float", made, read[0] if node.op_type in MOVERS else made)
        self._made_quantized.add(made)

    def _pair(self, tensor: str, result: str, scale_of: str) -> str:
        scale = self.scales[scale_of]
        names = [
            self._constant(f"{result}_scale", np.array(scale, np.float32)),
            self._constant(f"{result}_zero", np.array(0, np.int8)),
        ]
        q = f"{result}_q"
        self._new.append(helper.make_node("QuantizeLinear", [tensor, *names], [q], name=q))
        dq = helper.make_node("DequantizeLinear", [q, *names], [result], name=f"{result}_dq")
        self._new.append(dq)
        return result

    def _weight(self, name: str) -> str:
        """Quantize kernels: a scale for each filter."""
        weights = numpy_helper.to_array(self._constants[name])
        flat = np.abs(weights).reshape(len(weights), -1).max(1)
        scales = np.maximum(flat / LEVELS, 1e-12).astype(np.float32)
        whole = np.rint(weights / scales[:, None, None, None]).astype(np.int8)
        inputs = [
            self._constant(f"{name}_q", whole),
            self._constant(f"{name}_scale", scales),
            self._constant(f"{name}_zero", np.zeros(len(scales), np.int8)),
        ]
        self._graph.initializer.remove(self._constants[name])
        dq = helper.make_node("DequantizeLinear", inputs, [f"{name}_dq"], name=f"{name}_dq", axis=0)
        self._new.append(dq)
        return f"{name}_dq"

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        self._graph.initializer.append(numpy_helper.from_array(array, name))
        return name
