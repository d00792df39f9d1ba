"""Darknet's forward pass in float64 NumPy, from the definitions, sharing no code with edgeseg.

`run(cfg_text, weights, image)` gives what enters each head. Slow and literal:
windows are walked one by one, as the C code of Darknet does.
"""

from __future__ import annotations

import struct

import numpy as np

ACTIVATIONS = {
    "linear": lambda x: x,
    "leaky": lambda x: np.where(x > 0, x, 0.1 * x),
    "revleaky": lambda x: np.where(x > 0, x, 0.1 * x),
    "relie": lambda x: np.where(x > 0, x, 0.01 * x),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "loggy": lambda x: 2 / (1 + np.exp(-x)) - 1,
    "swish": lambda x: x / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "hard_mish": lambda x: np.where(x > 0, x, np.where(x > -2, x * x / 2 + x, 0)),
    "hardswish": lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6,
    "hard_swish": lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6,
    "hardtan": lambda x: np.minimum(np.maximum(x, -1), 1),
    "ramp": lambda x: x * (x > 0) + 0.1 * x,
    "elu": lambda x: np.where(x >= 0, x, np.exp(x) - 1),
    "selu": lambda x: np.where(x >= 0, 1.0507 * x, 1.0507 * 1.6732 * (np.exp(x) - 1)),
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(0.797885 * x + 0.035677 * x**3)),
    "tanh": np.tanh,
}


def run(cfg_text: str, weights: bytes, image: np.ndarray, epsilon: str = "opencv") -> list:
    """Give the float64[C, H, W] input of each head for float[3, H, W]."""
    sections = _sections(cfg_text)[1:]
    numbers = _Numbers(weights)
    outputs: list[np.ndarray] = []
    heads = []
    current = image.astype(np.float64)
    for index, (kind, options) in enumerate(sections):
        if kind in ("yolo", "region"):
            heads.append(current)
        elif kind == "convolutional":
            current = _convolution(options, numbers, current, epsilon)
        else:
            current = _LAYERS[kind](options, current, outputs, index)
        outputs.append(current)
    assert numbers.position == len(numbers.values)
    return heads


class _Numbers:
    def __init__(self, content: bytes) -> None:
        major, minor = struct.unpack("<ii", content[:8])
        header = 20 if major * 10 + minor >= 2 else 16
        self.values = np.frombuffer(content[header:], "<f4").astype(np.float64)
        self.position = 0

    def take(self, count: int) -> np.ndarray:
        self.position += count
        return self.values[self.position - count : self.position]


def _sections(text: str) -> list:
    sections: list = []
    for raw in text.splitlines():
        line = raw.split("#")[0].strip()
        if line.startswith("["):
            sections.append((line.strip("[]"), {}))
        elif line:
            key, value = line.split("=")
            sections[-1][1][key.strip()] = value.strip()
    return sections


def _get(options: dict, key: str, default: int) -> int:
    return int(options.get(key, default))


def _convolution(o: dict, numbers: _Numbers, x: np.ndarray, epsilon: str) -> np.ndarray:
    filters, size, groups = _get(o, "filters", 1), _get(o, "size", 1), _get(o, "groups", 1)
    stride = _get(o, "stride", 1)
    stride_y, stride_x = _get(o, "stride_y", stride), _get(o, "stride_x", stride)
    dilation = _get(o, "dilation", 1)
    padding = (size // 2 if _get(o, "pad", 0) else _get(o, "padding", 0)) * dilation
    beta = numbers.take(filters)
    normal = _get(o, "batch_normalize", 0)
    gamma, mean, variance = (numbers.take(filters) for _ in range(3)) if normal else (None,) * 3
    per_group = len(x) // groups
    kernels = numbers.take(filters * per_group * size * size)
    kernels = kernels.reshape(filters, per_group, size, size)
    reach = dilation * (size - 1) + 1
    rows = (x.shape[1] + 2 * padding - reach) // stride_y + 1
    columns = (x.shape[2] + 2 * padding - reach) // stride_x + 1
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    out = np.zeros((filters, rows, columns))
    for f in range(filters):
        first = f // (filters // groups) * per_group
        for row in range(rows):
            for column in range(columns):
                top, left = row * stride_y, column * stride_x
                window = padded[
                    first : first + per_group,
                    top : top + reach : dilation,
                    left : left + reach : dilation,
                ]
                out[f, row, column] = (window * kernels[f]).sum()
    if normal:
        divisor = {
            "pjreddie": lambda v: np.sqrt(v) + 1e-6,
            "alexeyab": lambda v: np.sqrt(v + 1e-5),
            "opencv": lambda v: np.sqrt(v + 1e-6),
        }[epsilon](variance)
        out = (out - mean[:, None, None]) / divisor[:, None, None] * gamma[:, None, None]
    out = out + beta[:, None, None]
    return ACTIVATIONS[o.get("activation", "logistic")](out)


def _pool(o: dict, x: np.ndarray, reduce) -> np.ndarray:
    stride = _get(o, "stride", 1)
    stride_y, stride_x = _get(o, "stride_y", stride), _get(o, "stride_x", stride)
    size = _get(o, "size", stride_x)
    padding = _get(o, "padding", size - 1)
    _, height, width = x.shape
    rows = (height + padding - size) // stride_y + 1
    columns = (width + padding - size) // stride_x + 1
    out = np.zeros((len(x), rows, columns))
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride_y - padding // 2, column * stride_x - padding // 2
            window = x[:, max(top, 0) : top + size, max(left, 0) : left + size]
            out[:, row, column] = reduce(window.reshape(len(x), -1), axis=1)
    return out


def _upsample(o: dict, x: np.ndarray, outputs: list, index: int) -> np.ndarray:
    stride = _get(o, "stride", 2)
    return x.repeat(stride, axis=1).repeat(stride, axis=2) * float(o.get("scale", 1))


def _reorg(o: dict, x: np.ndarray, outputs: list, index: int) -> np.ndarray:
    """Index by index, as reorg_cpu of blas.c describes it."""
    s = _get(o, "stride", 1)
    c, h, w = x.shape
    thin = c // (s * s)
    flat, out = x.reshape(-1), np.empty(x.size)
    reverse = _get(o, "reverse", 0)
    for k in range(c):
        for j in range(h):
            for i in range(w):
                here = i + w * (j + h * k)
                offset = k // thin
                wide = i * s + offset % s
                high = j * s + offset // s
                there = wide + w * s * (high + h * s * (k % thin))
                if reverse:
                    out[there] = flat[here]
                else:
                    out[here] = flat[there]
    return out.reshape((thin, h * s, w * s) if reverse else (c * s * s, h // s, w // s))


def _indices(text: str, index: int) -> list[int]:
    return [n if n >= 0 else index + n for n in map(int, text.split(","))]


def _route(o: dict, x: np.ndarray, outputs: list, index: int) -> np.ndarray:
    groups, group = _get(o, "groups", 1), _get(o, "group_id", 0)
    sources = [outputs[i] for i in _indices(o["layers"], index)]
    return np.concatenate([np.split(source, groups)[group] for source in sources])


def _shortcut(o: dict, x: np.ndarray, outputs: list, index: int) -> np.ndarray:
    out = x.copy()
    for source in _indices(o["from"], index):
        shared = min(len(out), len(outputs[source]))
        out[:shared] += outputs[source][:shared]
    return ACTIVATIONS[o.get("activation", "linear")](out)


def _scale_channels(o: dict, x: np.ndarray, outputs: list, index: int) -> np.ndarray:
    source = outputs[_indices(o["from"], index)[0]]
    factor = x if _get(o, "scale_wh", 0) else x.reshape(-1, 1, 1)
    return ACTIVATIONS[o.get("activation", "linear")](source * factor)


def _sam(o: dict, x: np.ndarray, outputs: list, index: int) -> np.ndarray:
    source = outputs[_indices(o["from"], index)[0]]
    return ACTIVATIONS[o.get("activation", "linear")](x * source)


_LAYERS = {
    "maxpool": lambda o, x, outputs, index: _pool(o, x, np.max),
    "local_avgpool": lambda o, x, outputs, index: _pool(o, x, np.mean),
    "avgpool": lambda o, x, outputs, index: x.mean(axis=(1, 2))[:, None, None],
    "upsample": _upsample,
    "reorg": _reorg,
    "route": _route,
    "shortcut": _shortcut,
    "scale_channels": _scale_channels,
    "sam": _sam,
    "dropout": lambda o, x, outputs, index: x,
    "empty": lambda o, x, outputs, index: x,
    "activation": lambda o, x, outputs, index: ACTIVATIONS[o["activation"]](x),
}
