"""Detections and masks from YOLO exports that decode their own boxes, on the CPU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.backends.cpu import suppress, wanted_classes
from edgeseg.backends.feeding import Feeder
from edgeseg.backends.options import DetectOptions
from edgeseg.errors import EngineError
from edgeseg.network_spec import YoloOutputs
from edgeseg.types import Batch, Detections, Frame, Heads, Letterbox, Masks, Model, Seen

MOST_CANDIDATES = 30_000
"""Boxes that may compete; of more, the best."""

Rows = NDArray[np.float32]


class YoloBackend:
    """Input, NMS and masks of a YOLO export, for the frames of one thread."""

    name = "cpu"

    def __init__(self, model: Model, options: DetectOptions | None = None) -> None:
        """Prepare for `model`; raises ValueError when a class to keep is none of the model's."""
        if not isinstance(model.outputs, YoloOutputs):
            said = f"{model.name} is no YOLO export, it is {model.family}"
            raise ValueError(said)  # noqa: TRY004 - the value is wrong, not the type
        self._outputs = model.outputs
        self._family = model.family
        self._classes = len(model.class_names)
        self.retune(options if options is not None else DetectOptions())
        self._options, self._wanted = self._tuning
        self._feeder = Feeder(model)

    def preprocess(self, frame: Frame) -> Batch:
        """Bring a frame to the network's input. The batch is valid until the next call."""
        return self._feeder.feed(frame)

    def detect(self, heads: Heads, letterbox: Letterbox) -> Seen:
        """Turn the network's boxes into detections, best first, with masks where it has any.

        Boxes are clipped to the picture; those outside of it are left out.
        """
        self._options, self._wanted = self._tuning  # for the whole frame
        # One row a box, whatever way they lie in memory.
        rows = heads[0][0].T if self._family == "yolo-v8" else heads[0][0]
        self._check(rows, heads)
        found = self._candidates(rows)
        keep, scores = self._choose(*found[:3])
        boxes_net, class_ids, numbers = found[0][keep], found[2][keep], found[3][keep]
        boxes_px = letterbox.to_source(boxes_net)
        visible: NDArray[np.bool_] = np.all(boxes_px[:, :2] < boxes_px[:, 2:], axis=1)
        detections = Detections(boxes_px, scores, class_ids).select(visible)
        if self._outputs.prototypes is None or not self._options.masks:
            return Seen(detections)
        coefficients = rows[numbers[visible], -self._outputs.coefficients :]
        masks = prototype_masks(
            heads[1][0], coefficients, boxes_net[visible], detections.boxes_px, letterbox
        )
        return Seen(detections, masks)

    def retune(self, options: DetectOptions) -> None:
        """Go on with other options from the next frame on; may be called from another thread.

        Raises ValueError when a class to keep is none of the model's.
        """
        self._tuning = options, wanted_classes(options.class_ids, self._classes)

    def close(self) -> None:
        """Release memory."""
        self._feeder.close()

    def _candidates(self, rows: Rows) -> tuple[Rows, Rows, NDArray[np.int32], NDArray[np.int64]]:
        """Give boxes_net, scores, classes and row numbers of all that score above `conf`."""
        conf = np.float32(self._options.conf)
        if self._family == "yolo-v10":
            numbers = np.flatnonzero(rows[:, 4] > conf)
            class_ids = _whole_numbers(rows[numbers, 5])
            scores, boxes = rows[numbers, 4], rows[numbers, :4]
        else:
            if self._family == "yolo-v5":
                numbers, class_ids, scores = self._of_v5(rows, conf)
            else:
                numbers, class_ids, scores = self._above(
                    rows[:, 4 : 4 + self._outputs.classes], conf
                )
            centres, halves = rows[numbers, :2], rows[numbers, 2:4] / 2
            boxes = np.concatenate((centres - halves, centres + halves), axis=1)
        keep = self._best(scores, class_ids)
        return boxes[keep], scores[keep], class_ids[keep], numbers[keep]

    def _of_v5(
        self, rows: Rows, conf: np.float32
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], Rows]:
        likely = np.flatnonzero(rows[:, 4] > conf)
        classes = rows[likely, 5 : 5 + self._outputs.classes] * rows[likely, 4:5]
        numbers, class_ids, scores = self._above(classes, conf)
        return likely[numbers], class_ids, scores

    def _above(
        self, classes: Rows, conf: np.float32
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], Rows]:
        """Give row, class and score of what is above `conf` in float32[N, classes]."""
        # Walk the memory in its own order: a yolo-v8's lies class by class.
        across = classes.T if classes.strides[0] < classes.strides[1] else classes
        first, second = np.nonzero(across > conf)
        numbers, class_ids = (second, first) if across is not classes else (first, second)
        if self._options.labels == "best":
            numbers = np.unique(numbers)
            class_ids = np.nan_to_num(classes[numbers], nan=-np.inf).argmax(axis=1)
        else:
            order = np.lexsort((class_ids, numbers))
            numbers, class_ids = numbers[order], class_ids[order]
        return numbers, class_ids.astype(np.int32), classes[numbers, class_ids]

    def _best(self, scores: Rows, class_ids: NDArray[np.int32]) -> NDArray[np.int64]:
        """Give the candidates of wanted classes, in their order; of too many, the best."""
        keep = np.arange(len(scores))
        if self._wanted is not None:
            inside = (class_ids >= 0) & (class_ids < len(self._wanted))
            keep = keep[inside & self._wanted[np.where(inside, class_ids, 0)]]
        if len(keep) > MOST_CANDIDATES:
            best = np.argsort(-scores[keep], kind="stable")[:MOST_CANDIDATES]
            keep = keep[np.sort(best)]
        return keep

    def _choose(
        self, boxes: Rows, scores: Rows, class_ids: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], Rows]:
        """Give the indices of the boxes that stay, best first, and their scores."""
        if self._family != "yolo-v10":
            return suppress(self._options, boxes, scores, class_ids)
        good = np.flatnonzero(np.isfinite(boxes).all(axis=1) & (class_ids >= 0))
        best = good[np.argsort(-scores[good], kind="stable")][: self._options.max_detections]
        return best, scores[best]

    def _check(self, rows: Rows, heads: Heads) -> None:
        """Raise EngineError when the network gives other shapes than its file says."""
        extra = self._outputs.coefficients
        channels = {"yolo-v5": 5 + self._outputs.classes, "yolo-v10": 6}.get(
            self._family, 4 + self._outputs.classes
        )
        shapes = [list(head.shape) for head in heads]
        if rows.shape[1] != channels + extra or (extra and shapes[1][1] != extra):
            raise EngineError(
                f"the network gave {shapes}, not boxes of {channels + extra} channels",
                hint="Is it exported for this input size? See docs/MODELS.md.",
            )


def prototype_masks(
    prototypes: Rows, coefficients: Rows, boxes_net: Rows, boxes_px: Rows, letterbox: Letterbox
) -> Masks:
    """Mix float32[M, rows, columns] prototypes into the mask of each box.

    A mask is the sigmoid of the mixed prototypes, in the cells that the pixels of its box
    are sampled from, clipped to the box (`process_mask_native` of ultralytics, in 256 steps).
    """
    _, rows, columns = prototypes.shape
    stride = np.array([letterbox.net_px[0] / columns, letterbox.net_px[1] / rows] * 2)
    # A pixel is sampled between the centres of two cells: half a cell beyond the box.
    cells = boxes_net / stride
    windows = np.concatenate((np.floor(cells[:, :2] - 0.5), np.floor(cells[:, 2:] - 0.5) + 2), 1)
    limit = np.array([columns, rows])
    windows[:, :2] = windows[:, :2].clip(0, limit - 1)
    windows[:, 2:] = windows[:, 2:].clip(windows[:, :2] + 1, limit)
    grids = _native.prototype_masks(
        np.ascontiguousarray(prototypes), coefficients, windows.astype(np.int32)
    )
    x, y, _, _ = letterbox.region_net
    regions = (windows * stride - (x, y, x, y)) / (letterbox.scale * 2)
    return Masks(tuple(grids), regions.astype(np.float32), boxes_px, letterbox.source_px)


def _whole_numbers(values: Rows) -> NDArray[np.int32]:
    """Give classes that a network wrote as float32; -1 for what is none."""
    good = (values >= 0) & (values < 1 << 20)
    return np.where(good, values, -1).astype(np.int32)
