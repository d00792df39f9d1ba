"""Write quantize/dequantize pairs into a graph that the exporter built.

For TensorRT: int8, symmetric, in front of convolutions and of residual adds
only; it fuses convolution, activation and the next quantizer into one kernel,
so nothing is quantized between them. Biases stay floating point: its parser
takes no int32.

For ONNX Runtime's CPU: uint8 with a zero point, since its x86 kernels multiply
unsigned by signed, and a leaky ReLU's range is lopsided; on both sides of every
operator, since it runs an operator in 8 bits only when all around it is; int32
biases, for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from edgeseg.errors import ModelError
from edgeseg.models.darknet.onnx_graph import Array, GraphBuilder, TensorGroup, TensorSpec
from edgeseg.quantize.kernels import filter_scales, padded, quantized
from edgeseg.quantize.recipe import Recipe
from edgeseg.quantize.scales import Range

CARRIERS = frozenset({"MaxPool", "Resize", "Slice", "Reshape", "Transpose", "DepthToSpace"})
"""Operators that move numbers and change none: what they give has the range of what they take."""
_FOURS = 4
"""ONNX Runtime's fast kernel wants channels in fours."""
_ORT_OPERATORS = CARRIERS | {
    "Add", "AveragePool", "Concat", "Conv", "GlobalAveragePool", "LeakyRelu",
}  # fmt: skip


class Leaky(NamedTuple):
    """What a convolution's result goes through."""

    slope: float
    result: str
    """The tensor behind it, and behind a max pooling that has it all."""


class Sketch:
    """Who makes and who takes each tensor of a graph."""

    def __init__(self, builder: GraphBuilder, outputs: Iterable[str]) -> None:
        self.outputs = frozenset(outputs)
        self.constants = {spec.name for group in builder.groups for spec in group.specs} | {""}
        self.maker: dict[str, Any] = {}
        self.takers: dict[str, list[Any]] = {}
        self.carried: dict[str, str] = {}
        for node in builder.nodes:
            self.maker[node.output[0]] = node
            if node.op_type in CARRIERS:
                self.carried[node.output[0]] = self.data(node)[0]
            for name in self.data(node):
                self.takers.setdefault(name, []).append(node)

    def data(self, node: Any) -> list[str]:
        """Give the inputs of a node that are no constants."""
        return [name for name in node.input if name not in self.constants]

    def is_head(self, conv: Any) -> bool:
        """Say whether a convolution makes a head, or what becomes one without another."""
        name = conv.output[0]
        return name in self.outputs or any(
            node.op_type != "Conv" and node.output[0] in self.outputs
            for node in self.takers.get(name, ())
        )

    def leaky(self, tensor: str) -> Leaky | None:
        """Say which leaky ReLU, if any, is all that a tensor goes into."""
        taker = self._only_taker(tensor)
        if taker is None or taker.op_type != "LeakyRelu":
            return None
        result = taker.output[0]
        after = self._only_taker(result)
        if after is not None and after.op_type == "MaxPool":
            result = after.output[0]
        return Leaky(float(taker.attribute[0].f), result)

    def _only_taker(self, tensor: str) -> Any | None:
        takers = self.takers.get(tensor, [])
        return takers[0] if len(takers) == 1 and tensor not in self.outputs else None


def pool_first(builder: GraphBuilder, outputs: Iterable[str]) -> None:
    """Let max pooling go before the leaky ReLU in front of it: a quarter of the numbers.

    Both orders give the same bits, since the function never falls.
    """
    sketch = Sketch(builder, outputs)
    for place, pool in enumerate(builder.nodes):
        leaky = sketch.maker.get(pool.input[0])
        if pool.op_type != "MaxPool" or leaky is None or leaky.op_type != "LeakyRelu":
            continue
        if len(sketch.takers[leaky.output[0]]) > 1 or leaky.output[0] in sketch.outputs:
            continue
        made = pool.output[0]
        between = f"{made}_before_leaky"
        pool.input[0], pool.output[0] = leaky.input[0], between
        leaky.input[0], leaky.output[0] = between, made
        builder.nodes[builder.nodes.index(leaky)], builder.nodes[place] = pool, leaky


def tensors_of(builder: GraphBuilder, outputs: Iterable[str]) -> dict[str, Leaky | None]:
    """Name the tensors that any target may quantize, each with `Sketch.leaky`.

    The network's input is not among them: it is known to be from 0 to 1.
    """
    sketch = Sketch(builder, outputs)
    wanted: dict[str, Leaky | None] = {}
    for node in builder.nodes:
        if node.op_type in _ORT_OPERATORS:
            for name in (*sketch.data(node), node.output[0]):
                if name != "images" and name not in sketch.outputs:
                    wanted[name] = sketch.leaky(name)
    return wanted


def quantize(builder: GraphBuilder, recipe: Recipe, outputs: Sequence[str]) -> None:
    """Rewrite the graph as INT8 after `recipe`. Raises ModelError when a scale is missing."""
    if recipe.target == "onnxruntime":
        pool_first(builder, outputs)
    _Quantizer(builder, recipe, outputs).rewrite()


class _Quantizer:
    """One graph being rewritten."""

    def __init__(self, builder: GraphBuilder, recipe: Recipe, outputs: Sequence[str]) -> None:
        assert recipe.scales is not None
        self._ranges = {"images": Range(0.0, 1.0), **recipe.scales.ranges}
        self._builder = builder
        self._sketch = Sketch(builder, outputs)
        self._recipe = recipe
        self._for_ort = recipe.target == "onnxruntime"
        self._float = "float16" if recipe.half else "float32"
        self._weights = {group.specs[0].name: group for group in builder.groups}
        self._nodes = builder.nodes
        self._pairs: dict[str, str] = {}

    def rewrite(self) -> None:
        """Replace the builder's nodes; each is quantized where its target wants it."""
        # float16 scales need opset 19.
        self._builder.opset = 19 if self._recipe.half else self._builder.opset
        self._builder.nodes = []
        for node in self._nodes:
            if node.op_type == "Conv" and not self._is_kept(node):
                self._convolution(node)
                continue
            quantized_here = self._is_quantized(node)
            if quantized_here or self._for_ort:
                self._take_quantized(node, only_ready=not quantized_here)
            self._builder.nodes.append(node)
            if quantized_here and self._for_ort:
                self._give_quantized(node.output[0])

    def _is_kept(self, conv: Any) -> bool:
        kept = self._recipe.kept
        if kept != "none" and self._sketch.is_head(conv):
            return True
        return kept == "ends" and conv.input[0] == "images"

    def _is_quantized(self, node: Any) -> bool:
        data = self._sketch.data(node)
        if node.op_type == "Conv" or (node.op_type == "Add" and len(data) < 2):
            return False
        if not self._for_ort:
            return node.op_type == "Add" and "_shortcut" in node.name
        # A layer behind a kept convolution gets floating point: pairs would only cost time.
        return node.op_type in _ORT_OPERATORS and all(name in self._pairs for name in data)

    def _take_quantized(self, node: Any, *, only_ready: bool) -> None:
        """Let a node read quantized tensors, all or those that are quantized anyway."""
        for position, name in enumerate(node.input):
            if name not in self._sketch.constants and (not only_ready or name in self._pairs):
                node.input[position] = self._pair(name)

    def _give_quantized(self, tensor: str) -> None:
        if tensor not in self._sketch.outputs:
            self._pair(tensor)

    def _pair(self, tensor: str) -> str:
        """Add a quantizer and a dequantizer of a tensor; give what comes out."""
        if tensor not in self._pairs:
            quantizer = self._parameters(tensor)
            q = self._builder.node("QuantizeLinear", [tensor, *quantizer], f"{tensor}_q")
            result = f"{tensor}_dq"
            self._pairs[tensor] = self._builder.node("DequantizeLinear", [q, *quantizer], result)
        return self._pairs[tensor]

    def _parameters(self, tensor: str) -> tuple[str, str]:
        """Add scale and zero point of a tensor."""
        step, zero = self.step_and_zero(tensor)
        names = f"{tensor}_scale", f"{tensor}_zero"
        specs = (TensorSpec(names[0], (), self._float), TensorSpec(names[1], (), str(zero.dtype)))
        arrays = (np.array(step, self._float), zero)
        self._builder.initializers(specs, lambda: arrays)
        return names

    def step_and_zero(self, tensor: str) -> tuple[float, Array]:
        """Give a tensor's scale as the graph holds it, and its zero point."""
        bounds = self._range(tensor)
        if not self._for_ort:
            return float(np.array(bounds.scale, self._float)), np.array(0, np.int8)
        step = float(np.float32((bounds.high - bounds.low) / 255))
        return step, np.array(min(255, round(-bounds.low / step)), np.uint8)

    def _range(self, tensor: str) -> Range:
        """Look up a tensor; what a carrier gives has the range of what it takes."""
        while self._for_ort and tensor in self._sketch.carried:
            tensor = self._sketch.carried[tensor]
        if tensor not in self._ranges:
            raise ModelError(
                f"the scales do not have the tensor {tensor}",
                hint="They are of another network: calibrate this one with --calib.",
            )
        return self._ranges[tensor]

    def _convolution(self, conv: Any) -> None:
        source = conv.input[0]
        channels = self._weights[conv.input[1]].specs[0].shape[1]
        wide = channels
        if source == "images" and self._for_ort:
            wide += -channels % _FOURS
        taken = self._pair(source) if wide == channels else self._widened(source, wide - channels)
        conv.input[:] = [taken, *self._weight(conv, wide, self.step_and_zero(source)[0])]
        self._builder.nodes.append(conv)
        if self._for_ort:
            self._give_quantized(conv.output[0])

    def _widened(self, source: str, more: int) -> str:
        """Quantize the picture and append channels of zeros.

        With four channels instead of three ONNX Runtime's kernel reads the picture
        in place, which makes the first layer four times as fast.
        """
        name = f"{source}_wide"
        if name not in self._pairs:
            builder, (scale, zero) = self._builder, self._parameters(source)
            q = builder.node("QuantizeLinear", [source, scale, zero], f"{source}_q")
            pads = builder.constant([0, 0, 0, 0, 0, more, 0, 0])
            wide = builder.node("Pad", [q, pads, zero], name)
            result = f"{name}_dq"
            self._pairs[name] = builder.node("DequantizeLinear", [wide, scale, zero], result)
        return self._pairs[name]

    def _weight(self, conv: Any, wide: int, step: float) -> tuple[str, str]:
        """Replace a convolution's numbers by quantized ones, its input channels up to `wide`.

        Gives dequantized weight and bias. `step` is the scale of its input.
        """
        group = self._weights[conv.input[1]]
        weight, bias = group.specs
        name = weight.name
        filters, _, *window = weight.shape
        specs = [
            TensorSpec(f"{name}_q", (filters, wide, *window), "int8"),
            TensorSpec(f"{name}_scale", (filters,), self._float),
            TensorSpec(f"{name}_zero", (filters,), "int8"),
        ]
        if self._for_ort:
            specs += [
                TensorSpec(f"{bias.name}_q", (filters,), "int32"),
                TensorSpec(f"{bias.name}_scale", (filters,), "float32"),
                TensorSpec(f"{bias.name}_zero", (filters,), "int32"),
            ]
        else:
            specs.append(bias)
        new = TensorGroup(tuple(specs), lambda: self._numbers(group, specs, step))
        self._builder.groups[self._builder.groups.index(group)] = new
        result = self._dequantized(name)
        return result, self._dequantized(bias.name) if self._for_ort else bias.name

    def _dequantized(self, name: str) -> str:
        inputs = [f"{name}_q", f"{name}_scale", f"{name}_zero"]
        return self._builder.node("DequantizeLinear", inputs, f"{name}_dq", axis=0)

    def _numbers(
        self, group: TensorGroup, specs: Sequence[TensorSpec], step: float
    ) -> Sequence[Array]:
        """Make the numbers that `specs` name out of float32 weights and biases."""
        kernels, biases = group.make()
        filters, wide = specs[0].shape[:2]
        least = np.abs(biases).astype(np.float64) / step / 2**30 if self._for_ort else None
        scales = filter_scales(kernels, half=self._recipe.half, bias_step=least)
        weights = padded(quantized(kernels, scales), wide)
        arrays = [weights, scales.astype(self._float), np.zeros(filters, np.int8)]
        if not self._for_ort:
            return [*arrays, biases]
        # As ONNX Runtime computes it: both factors in float32.
        steps = np.float32(step) * scales
        whole = np.rint(biases.astype(np.float64) / steps).astype(np.int32)
        return [*arrays, whole, steps, np.zeros(filters, np.int32)]
