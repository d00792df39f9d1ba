"""YOLO's boxes in plain NumPy and float64: shares no code with the native ops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import HeadSpec, Size

Table = NDArray[np.float64]
"""float64[N, 6]: left, top, right, bottom, score, class."""


def decoded(head: NDArray[np.float32], spec: HeadSpec, net_px: Size, conf: float) -> Table:
    """Give the boxes of one head of YOLOv3's form that score above `conf`."""
    _, _, rows, columns = head.shape
    raw = head.astype(np.float64).reshape(len(spec.anchors_net), -1, rows, columns)
    sigmoid = 1 / (1 + np.exp(-raw))
    scores = sigmoid[:, 4:5] * sigmoid[:, 5:]
    anchors, classes, ys, xs = np.nonzero(scores > conf)
    sizes = np.exp(raw[anchors, 2:4, ys, xs]) * np.array(spec.anchors_net)[anchors]
    strides = np.array([net_px[0] / columns, net_px[1] / rows])
    centres = (np.stack([xs, ys], 1) + sigmoid[anchors, :2, ys, xs]) * strides
    found = scores[anchors, classes, ys, xs]
    return np.column_stack([centres - sizes / 2, centres + sizes / 2, found, classes])


def suppressed(boxes: Table, iou: float) -> Table:
    """Keep, greedily and per class, the boxes that overlap no better one by more than `iou`."""
    order = np.argsort(-boxes[:, 4], kind="stable")
    kept: list[int] = []
    for index in order:
        rivals = boxes[[k for k in kept if boxes[k, 5] == boxes[index, 5]]]
        if len(rivals) == 0 or (_iou(boxes[index], rivals) <= iou).all():
            kept.append(int(index))
    return boxes[kept]


def _iou(box: NDArray[np.float64], others: Table) -> NDArray[np.float64]:
    sides = np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(others[:, 2:4] - others[:, :2], axis=1) + np.prod(box[2:4] - box[:2])
    result: NDArray[np.float64] = shared / (areas - shared)
    return result
