"""What the native ops promise, written from the definition in float64 NumPy.

Slow and plain on purpose; shares no code with csrc/.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import HeadSpec

Array = NDArray[Any]


def axis_weights(source: int, target: int) -> Array:
    """float64[target, source]: bilinear, first pixel on first, last on last."""
    weights = np.zeros((target, source))
    for out in range(target):
        position = out * (source - 1) / (target - 1) if target > 1 else source - 1
        low = math.floor(position)
        share = position - low
        weights[out, low] += 1 - share
        weights[out, min(low + 1, source - 1)] += share
    return weights


def letterbox(
    image: Array, size: tuple[int, int], region: tuple[int, int, int, int], pad: float = 127.5
) -> Array:
    """float64[3, H, W] RGB from 0 to 1: the picture in `region`, padding around it."""
    width, height = size
    x, y, inner_w, inner_h = region
    out = np.full((3, height, width), pad / 255)
    rows = axis_weights(image.shape[0], inner_h)
    columns = axis_weights(image.shape[1], inner_w)
    for plane, channel in enumerate((2, 1, 0)):
        resized = rows @ image[:, :, channel].astype(np.float64) @ columns.T
        out[plane, y : y + inner_h, x : x + inner_w] = resized / 255
    return out


def sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def class_probabilities(raw: Array, spec: HeadSpec) -> Array:
    if spec.kind == "region" and spec.softmax:
        with np.errstate(invalid="ignore"):
            powers = np.exp(raw - raw.max())
            return powers / powers.sum()
    return raw if spec.new_coords else sigmoid(raw)


def cell_box(
    cell: Array, place: tuple[int, int], anchor: tuple[float, float], spec: HeadSpec, stride: Array
) -> Array:
    """float64[4] in network pixels, of the cell in `place` (column, row)."""
    shift = (spec.scale_x_y - 1) / 2
    if spec.new_coords:
        inside = cell[:2] * spec.scale_x_y - shift
        size = (2 * cell[2:4]) ** 2 * np.array(anchor)
    else:
        inside = sigmoid(cell[:2]) * spec.scale_x_y - shift
        size = np.exp(np.minimum(cell[2:4], 20)) * np.array(anchor)
    centre = (np.array(place) + inside) * stride
    return np.concatenate([centre - size / 2, centre + size / 2])


def decode(
    heads: list[Array],
    specs: list[HeadSpec],
    net_px: tuple[int, int],
    conf: float,
    labels: str = "multi",
) -> tuple[Array, Array, Array]:
    """Boxes float64[M, 4], scores float64[M], classes int[M] in candidate order."""
    found: list[tuple[Array, float, int]] = []
    for head, spec in zip(heads, specs, strict=True):
        rows, columns = head.shape[-2:]
        cells = head.astype(np.float64).reshape(len(spec.anchors_net), 5 + spec.classes, rows, -1)
        stride = np.array([net_px[0] / columns, net_px[1] / rows])
        for a, r, c in np.ndindex(len(spec.anchors_net), rows, columns):
            cell = cells[a, :, r, c]
            objectness = cell[4] if spec.new_coords else sigmoid(cell[4])
            if not objectness > conf:
                continue
            box = cell_box(cell, (c, r), spec.anchors_net[a], spec, stride)
            scores = objectness * class_probabilities(cell[5:], spec)
            best = np.argmax(np.where(np.isnan(cell[5:]), -np.inf, cell[5:]))
            chosen = range(spec.classes) if labels == "multi" else [int(best)]
            found += [(box, float(scores[i]), i) for i in chosen if scores[i] > conf]
    found = [f for f in found if np.isfinite(f[0]).all() and np.isfinite(f[1])]
    boxes = np.array([box for box, _, _ in found]).reshape(-1, 4)
    return boxes, np.array([s for _, s, _ in found]), np.array([i for _, _, i in found], int)


def iou(a: Array, b: Array) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area_a, area_b = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return float(width * height / (area_a + area_b - width * height))


def diou(a: Array, b: Array) -> float:
    low, high = np.minimum(a[:2], b[:2]), np.maximum(a[2:], b[2:])
    diagonal = float(((high - low) ** 2).sum())
    apart = (a[:2] + a[2:] - b[:2] - b[2:]) / 2
    return iou(a, b) - (float((apart**2).sum()) / diagonal if diagonal > 0 else 0.0)


def strict_order(scores: Array) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))


def may_be_kept(boxes: Array, scores: Array) -> Array:
    return np.isfinite(boxes).all(axis=1) & ~np.isnan(scores)


def nms(
    boxes: Array,
    scores: Array,
    class_ids: Array,
    limit: float,
    *,
    kind: str = "greedy",
    agnostic: bool = False,
    max_detections: int = 300,
) -> list[int]:
    """Indices of the kept boxes: greedy, per class, in the strict order."""
    overlap = {"greedy": iou, "diou": diou}[kind]
    boxes, good = boxes.astype(np.float64), may_be_kept(boxes, scores)
    kept: list[int] = []
    for i in strict_order(scores):
        rivals = [k for k in kept if agnostic or class_ids[k] == class_ids[i]]
        if good[i] and not any(overlap(boxes[i], boxes[k]) > limit for k in rivals):
            kept.append(i)
    return kept[:max_detections]


def soft_nms(
    boxes: Array, scores: Array, class_ids: Array, sigma: float, min_score: float
) -> list[tuple[int, float]]:
    """(index, softened score) of what stays, in the strict order of the softened scores."""
    boxes, good = boxes.astype(np.float64), may_be_kept(boxes, scores)
    left = {i: float(scores[i]) for i in range(len(scores)) if good[i]}
    picks: list[tuple[int, float]] = []
    while left := {i: score for i, score in left.items() if score >= min_score}:
        best = min(left, key=lambda i: (-left[i], i))
        picks.append((best, left.pop(best)))
        for i in left:
            if class_ids[i] == class_ids[best]:
                left[i] *= math.exp(-(iou(boxes[i], boxes[best]) ** 2) / sigma)
    return sorted(picks, key=lambda pick: (-pick[1], pick[0]))
