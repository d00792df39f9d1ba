"""The backend of every machine: pixel work in C++ on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.backends.options import DetectOptions
from edgeseg.types import Batch, Detections, Frame, Heads, HeadSpec, Letterbox, Model


class CpuBackend:
    """Letterbox, decode and NMS on the CPU, for the frames of one thread."""

    name = "cpu"

    def __init__(self, model: Model, options: DetectOptions | None = None) -> None:
        """Prepare for `model`; raises ValueError when a class to keep is none of the model's."""
        self._input_px = model.input_px
        self._fit = model.fit
        self._specs = [native_spec(spec) for spec in model.heads]
        self._classes = max((head.classes for head in model.heads), default=0)
        self.retune(options if options is not None else DetectOptions())
        width, height = model.input_px
        self._tensor = np.empty((1, 3, height, width), np.float32)
        self._letterbox: Letterbox | None = None

    def preprocess(self, frame: Frame) -> Batch:
        """Bring a frame to the network's input. The batch is valid until the next call."""
        if not isinstance(frame.image, np.ndarray):
            raise ValueError(  # noqa: TRY004 - a wrong argument, as everywhere
                "the frame lies on the GPU, the backend is cpu; pass numpy.asarray(frame.image)"
            )
        letterbox = self._letterbox
        moved = letterbox is None or letterbox.source_px != frame.size_px
        if letterbox is None or moved:
            letterbox = Letterbox.fit(frame.size_px, self._input_px, self._fit)
            self._letterbox = letterbox
        # The padding stays in the tensor until the region moves.
        _native.letterbox(frame.image, self._tensor[0], letterbox.region_net, fill=moved)
        return Batch(self._tensor, (letterbox,))

    def detect(self, heads: Heads, letterbox: Letterbox) -> Detections:
        """Turn raw heads into detections, best first: decode, NMS, source pixels.

        Boxes are clipped to the picture; those outside of it are left out.
        """
        options, classes = self._tuning  # once: another thread may retune meanwhile
        boxes, scores, class_ids = _native.decode(
            heads, self._specs, letterbox.net_px, options.conf, options.labels
        )
        if classes is not None:
            wanted = classes[class_ids]
            boxes, scores, class_ids = boxes[wanted], scores[wanted], class_ids[wanted]
        if len(scores) == 0:
            return Detections.empty()
        keep, scores = suppress(options, boxes, scores, class_ids)
        boxes_px = letterbox.to_source(boxes[keep])
        found = Detections(boxes_px, scores, class_ids[keep])
        visible: NDArray[np.bool_] = np.all(boxes_px[:, :2] < boxes_px[:, 2:], axis=1)
        return found if visible.all() else found.select(visible)

    def retune(self, options: DetectOptions) -> None:
        """Go on with other options from the next frame on; may be called from another thread.

        Raises ValueError when a class to keep is none of the model's.
        """
        self._tuning = options, wanted_classes(options.class_ids, self._classes)

    def close(self) -> None:
        """Release memory."""
        self._tensor = np.empty((1, 3, 0, 0), np.float32)
        self._letterbox = None


def suppress(
    options: DetectOptions,
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give the indices of the boxes that stay, best first, and their scores."""
    if options.nms == "soft":
        return _native.soft_nms(
            boxes,
            scores,
            class_ids,
            min_score=options.conf,
            agnostic=options.agnostic,
            max_detections=options.max_detections,
        )
    keep = _native.nms(
        boxes,
        scores,
        class_ids,
        options.iou,
        kind=options.nms,
        agnostic=options.agnostic,
        max_detections=options.max_detections,
    )
    return keep, scores[keep]


def native_spec(spec: HeadSpec, native: Any = _native) -> _native.YoloHead:
    """Hand a head's description to the native ops; raises ValueError when it is out of range.

    `native` is the module whose ops will read it.
    """
    head: _native.YoloHead = native.YoloHead(
        spec.kind,
        spec.anchors_net,
        spec.classes,
        scale_x_y=spec.scale_x_y,
        new_coords=spec.new_coords,
        softmax=spec.softmax,
    )
    return head


def wanted_classes(class_ids: frozenset[int] | None, classes: int) -> NDArray[np.bool_] | None:
    """Give bool[classes], those to keep; None for all. Raises ValueError for unknown ones."""
    if class_ids is None:
        return None
    unknown = sorted(i for i in class_ids if not 0 <= i < classes)
    if unknown:
        raise ValueError(f"class_ids must be from 0 to {classes - 1}, got {unknown[0]}")
    wanted = np.zeros(classes, np.bool_)
    wanted[list(class_ids)] = True
    return wanted
