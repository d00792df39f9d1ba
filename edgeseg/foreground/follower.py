"""The station that tells foreground from background, pixel by pixel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.masks.certainty import certainty
from edgeseg.motion.follower import MotionWatch
from edgeseg.motion.regions import Cleaner
from edgeseg.sources.camera import imported_cv2
from edgeseg.types import Result

EDGE_SHARE = 0.0015
"""Softness of the edge of what moves, as a share of the picture's diagonal."""


class ForegroundFollower:
    """Joins the objects' masks and what moves into one picture of certainty.

    An object with a mask counts whether it moves or not. Without masks the
    pixels of its box count that move, also such as are too few for a region of
    their own.
    """

    name = "foreground"

    def __init__(self) -> None:
        self._cv2: Any = imported_cv2("the segmentation of the foreground")
        self._watch = MotionWatch()
        self._cleaner = Cleaner()

    def follow(self, result: Result) -> Result:
        """Give the result with its foreground."""
        moving = self._watch.look(result)
        pixels = self._cleaner.clean(moving)
        if result.masks is None:
            pixels = np.maximum(pixels, self._in_boxes(moving.pixels, result))
        foreground = self._at_full_size(pixels, result)
        if result.masks is not None:
            for row in range(len(result.masks)):
                (left, top, right, bottom), sure = certainty(result.masks, row)
                place = foreground[top:bottom, left:right]
                np.maximum(place, _steep(sure), out=place)
        return replace(result, foreground=foreground)

    def summary(self) -> dict[str, str]:
        """Tell of warm-up, changes of light and shaking."""
        return {"motion": self._watch.summary()}

    def figures(self) -> dict[str, object]:
        """Give how many frames had which state."""
        return self._watch.figures()

    def close(self) -> None:
        """Nothing is held that Python does not release."""

    def _in_boxes(self, pixels: NDArray[np.uint8], result: Result) -> NDArray[np.uint8]:
        """Give the moving pixels inside the objects' boxes, joined to shapes."""
        rows, columns = pixels.shape
        width, height = result.frame.size_px
        scale = np.array((columns / width, rows / height) * 2)
        out = np.zeros_like(pixels)
        for box in (result.detections.boxes_px * scale).round().astype(np.int64).tolist():
            left, top, right, bottom = (max(0, edge) for edge in box)
            inside = np.ascontiguousarray(pixels[top:bottom, left:right])
            if inside.size:
                place = out[top:bottom, left:right]
                np.maximum(place, self._cleaner.join(inside, pixels.shape), out=place)
        return out

    def _at_full_size(self, pixels: NDArray[np.uint8], result: Result) -> NDArray[np.uint8]:
        """Bring moving pixels to the frame's size, with a soft edge."""
        cv2, (width, height) = self._cv2, result.frame.size_px
        blur = max(3, round(EDGE_SHARE * np.hypot(*pixels.shape) * 4) | 1)
        soft = cv2.GaussianBlur(pixels, (blur, blur), 0)
        if (soft.shape[1], soft.shape[0]) != (width, height):
            soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
        return _steep(np.asarray(soft, np.uint8))


_STEEP: NDArray[np.uint8] = (
    ((np.arange(256) - 127.5) * 2.5 + 127.5).round().clip(0, 255).astype(np.uint8)
)


def _steep(sure: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make certainties opacities: an edge about as wide as a pixel of the mask."""
    return _STEEP[sure]
