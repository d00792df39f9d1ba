"""What a user would write instead of edgeseg: two whole pipelines, clip in, annotated clip out."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.types import Model

CONF, IOU = 0.25, 0.45


def run_seed(
    clip: Path, output: Path, cfg: Path, weights: Path, names: tuple[str, ...], size: int
) -> float:
    """Give the FPS of the tutorials' pipeline: cv2.dnn, blobFromImage, a loop over the boxes."""
    net = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    layers = net.getUnconnectedOutLayersNames()
    capture = cv2.VideoCapture(str(clip))
    writer = _writer(capture, output)
    net.setInput(np.zeros((1, 3, size, size), np.float32))
    net.forward(layers)
    count, start = 0, time.perf_counter()
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        height, width = frame.shape[:2]
        blob = cv2.dnn.blobFromImage(frame, 1 / 255, (size, size), swapRB=True, crop=False)
        net.setInput(blob)
        boxes, scores, class_ids = [], [], []
        for output_rows in net.forward(layers):
            for row in output_rows:
                class_scores = row[5:]
                class_id = int(np.argmax(class_scores))
                score = float(class_scores[class_id])
                if score > CONF:
                    cx, cy, w, h = row[:4] * np.array([width, height, width, height])
                    boxes.append([int(cx - w / 2), int(cy - h / 2), int(w), int(h)])
                    scores.append(score)
                    class_ids.append(class_id)
        for i in cv2.dnn.NMSBoxes(boxes, scores, CONF, IOU):
            x, y, w, h = boxes[i]
            _draw(frame, (x, y, x + w, y + h), names[class_ids[i]], scores[i])
        writer.write(frame)
        count += 1
    writer.release()
    return count / (time.perf_counter() - start)


def run_careful(clip: Path, output: Path, model: Model) -> float:
    """Give the FPS of a careful pipeline: cv2 letterbox, ONNX Runtime, vectorised NumPy decode."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(model.onnx_path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    capture = cv2.VideoCapture(str(clip))
    writer = _writer(capture, output)
    session.run(None, {name: np.zeros((1, 3, model.input_px[1], model.input_px[0]), np.float32)})
    count, start = 0, time.perf_counter()
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        blob, scale, left, top = letterbox_cv2(frame, model.input_px)
        heads = session.run(None, {name: blob})
        boxes, scores, class_ids = decode_numpy(heads, model, CONF)
        boxes = (boxes - (left, top, left, top)) / scale
        xywh = np.column_stack((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]))
        for i in cv2.dnn.NMSBoxesBatched(xywh, scores, class_ids, CONF, IOU):
            corners = tuple(int(v) for v in boxes[i])
            _draw(frame, corners, model.class_names[class_ids[i]], scores[i])
        writer.write(frame)
        count += 1
    writer.release()
    return count / (time.perf_counter() - start)


def letterbox_cv2(
    frame: NDArray[np.uint8], net_px: tuple[int, int]
) -> tuple[NDArray[np.float32], float, int, int]:
    """Letterbox as most people write it: resize, copyMakeBorder, blobFromImage."""
    height, width = frame.shape[:2]
    scale = min(net_px[0] / width, net_px[1] / height)
    inner_w, inner_h = int(width * scale), int(height * scale)
    left, top = (net_px[0] - inner_w) // 2, (net_px[1] - inner_h) // 2
    resized = cv2.resize(frame, (inner_w, inner_h), interpolation=cv2.INTER_LINEAR)
    right, bottom = net_px[0] - inner_w - left, net_px[1] - inner_h - top
    padded = cv2.copyMakeBorder(
        resized, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(127, 127, 127)
    )
    return cv2.dnn.blobFromImage(padded, 1 / 255, swapRB=True), scale, left, top


def decode_numpy(
    heads: list[NDArray[np.float32]], model: Model, conf: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Decode YOLOv3 heads with vectorised NumPy, the best class of each box."""
    all_boxes, all_scores, all_ids = [], [], []
    for head, spec in zip(heads, model.heads, strict=True):
        anchors = np.array(spec.anchors_net, np.float32)
        rows, cols = head.shape[2:]
        cells = head[0].reshape(len(anchors), 5 + spec.classes, rows, cols)
        cells = 1 / (1 + np.exp(-cells[:, [0, 1, *range(4, 5 + spec.classes)]])), cells[:, 2:4]
        sigmoids, sizes = cells
        scores = sigmoids[:, 2:3] * sigmoids[:, 3:]
        best = scores.argmax(axis=1)
        score = np.take_along_axis(scores, best[:, None], axis=1)[:, 0]
        anchor, row, col = np.nonzero(score > conf)
        cx = (sigmoids[anchor, 0, row, col] + col) * (model.input_px[0] / cols)
        cy = (sigmoids[anchor, 1, row, col] + row) * (model.input_px[1] / rows)
        half = np.exp(sizes[anchor, :, row, col]) * anchors[anchor] / 2
        all_boxes.append(
            np.column_stack((cx - half[:, 0], cy - half[:, 1], cx + half[:, 0], cy + half[:, 1]))
        )
        all_scores.append(score[anchor, row, col])
        all_ids.append(best[anchor, row, col].astype(np.int32))
    return np.concatenate(all_boxes), np.concatenate(all_scores), np.concatenate(all_ids)


def _writer(capture: cv2.VideoCapture, output: Path) -> cv2.VideoWriter:
    size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    return cv2.VideoWriter(str(output), fourcc, capture.get(cv2.CAP_PROP_FPS) or 25, size)


def _draw(frame: NDArray[np.uint8], corners: tuple[int, ...], name: str, score: float) -> None:
    cv2.rectangle(frame, corners[:2], corners[2:], (0, 255, 0), 2)
    origin = (corners[0], corners[1] - 5)
    cv2.putText(frame, f"{name} {score:.2f}", origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 255, 0), 2)
