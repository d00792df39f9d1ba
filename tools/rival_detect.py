"""Decode and NMS with NumPy and OpenCV, as fast as a careful user would make them.

Only cells whose objectness passes are looked at further, one anchor at a time;
the planes stay as the network gave them; what comes to more than MAX_CANDIDATES
is cut to the best before any box is made; NMS goes class by class, which for
many classes is faster than cv2.dnn.NMSBoxesBatched.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.types import HeadSpec

Array = NDArray[Any]
MAX_CANDIDATES = 30_000


def sigmoid(x: Array) -> Array:
    """Compute the sigmoid with one temporary array."""
    result: Array = np.exp(-x)
    result += 1
    return np.reciprocal(result, out=result)


def decode(
    heads: list[NDArray[np.float32]], specs: list[HeadSpec], side: int, conf: float, labels: str
) -> tuple[Array, Array, Array]:
    """Give the candidates' boxes (left, top, width, height), scores and classes."""
    parts = []
    for head, spec in zip(heads, specs, strict=True):
        maps = head.reshape(len(spec.anchors_net), 5 + spec.classes, -1)
        grid = (head.shape[2], side / head.shape[2])
        for planes, anchor in zip(maps, spec.anchors_net, strict=True):
            cells, scores, class_ids, boxes = _candidates(planes, conf, labels)
            parts.append((cells, scores, class_ids, boxes, anchor, grid))
    all_scores = np.concatenate([scores for _, scores, *_ in parts])
    floor = -1.0
    if len(all_scores) > MAX_CANDIDATES:
        floor = np.partition(all_scores, -MAX_CANDIDATES)[-MAX_CANDIDATES]
    chosen = []
    for cells, scores, class_ids, raw, anchor, (columns, stride) in parts:
        kept = np.flatnonzero(scores >= floor)
        boxes = _boxes(raw[:, kept], cells[kept], anchor, columns, stride)
        chosen.append((boxes, scores[kept], class_ids[kept]))
    boxes, scores, class_ids = (np.concatenate(column) for column in zip(*chosen, strict=True))
    return boxes, scores, class_ids


def suppress(boxes: Array, scores: Array, class_ids: Array, conf: float, iou: float) -> int:
    """Give how many boxes NMS keeps, class by class."""
    order = np.argsort(class_ids, kind="stable")
    cuts = np.flatnonzero(np.diff(class_ids[order])) + 1
    groups = [group for group in np.split(order, cuts) if len(group)]
    return sum(len(nms_boxes(boxes[group], scores[group], conf, iou)) for group in groups)


def nms_boxes(boxes: Any, scores: Any, conf: float, iou: float) -> Any:
    """Call OpenCV's NMS; its stubs know lists only, it takes arrays."""
    return cv2.dnn.NMSBoxes(boxes, scores, conf, iou)


def _candidates(planes: Array, conf: float, labels: str) -> tuple[Array, Array, Array, Array]:
    """Give each candidate's cell, score, class and four raw numbers."""
    raw_floor = np.log(conf / (1 - conf)) - 1e-3
    passing = np.flatnonzero(planes[4] > raw_floor)
    if len(passing) < planes.shape[1]:
        planes = planes[:, passing]
    objectness = sigmoid(planes[4])
    if labels == "best":
        best = planes[5:].argmax(axis=0)
        scores = objectness * sigmoid(planes[5:][best, np.arange(len(best))])
        at = np.flatnonzero(scores > conf)
        return passing[at], scores[at], best[at], planes[:4, at]
    all_scores = sigmoid(planes[5:])
    all_scores *= objectness
    flat = np.flatnonzero(all_scores > conf)
    class_ids, at = np.divmod(flat, max(1, len(passing)))
    return passing[at], all_scores.reshape(-1)[flat], class_ids, planes[:4, at]


def _boxes(
    raw: Array, cells: Array, anchor: tuple[float, float], columns: int, stride: float
) -> NDArray[np.float32]:
    row, column = np.divmod(cells, columns)
    size = np.exp(raw[2:]) * np.array(anchor, np.float32)[:, None]
    centre = (sigmoid(raw[:2]) + np.stack([column, row])) * stride
    boxes: NDArray[np.float32] = np.concatenate([centre - size / 2, size]).T.astype(np.float32)
    return boxes
