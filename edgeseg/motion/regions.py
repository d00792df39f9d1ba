"""Moving pixels into objects: cleaned of specks, closed, cut into regions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.motion.background import Moving
from edgeseg.sources.camera import imported_cv2
from edgeseg.types import Detections, Masks, Size

SMALLEST_SHARE = 0.0005
"""Share of the picture below which a region is no object."""
MOST_REGIONS = 200
"""Rain and leaves make no more objects than this; the largest stay."""

_SPECK_SHARE = 0.003
_GAP_SHARE = 0.018
_HOLE, _HOLE_SHARE = 4, 0.1
_STIRRING_SHARE = 0.02


class Cleaner:
    """Opening, closing and filling, scaled to the picture."""

    def __init__(self) -> None:
        self._cv2: Any = imported_cv2("the segmentation of motion")

    def clean(self, moving: Moving) -> NDArray[np.uint8]:
        """Give uint8[h, w], 0 and 255: specks and what stands still taken away, gaps closed."""
        pixels = moving.pixels
        opened = self._cv2.medianBlur(pixels, 3)
        opened = self._cv2.morphologyEx(
            opened, self._cv2.MORPH_OPEN, self._disc(_SPECK_SHARE, pixels.shape)
        )
        return self._alive(self.join(opened, pixels.shape), moving.stirred)

    def join(self, pixels: NDArray[np.uint8], scale: tuple[int, ...]) -> NDArray[np.uint8]:
        """Close the gaps and small holes of a picture, or of a part of one with sides `scale`."""
        cv2, disc = self._cv2, self._disc(_GAP_SHARE, scale)
        gap = len(disc)
        # A border of the gap's size: closing would else glue objects to the picture's edge.
        framed = cv2.copyMakeBorder(pixels, gap, gap, gap, gap, cv2.BORDER_CONSTANT, value=0)
        closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, disc)[gap:-gap, gap:-gap]
        return self._filled(np.ascontiguousarray(closed))

    def _disc(self, share: float, sides: tuple[int, ...]) -> NDArray[np.uint8]:
        """Give a disc whose width is a share of a picture's diagonal."""
        width = max(3, round(share * math.hypot(*sides)) | 1)
        disc = self._cv2.getStructuringElement(self._cv2.MORPH_ELLIPSE, (width, width))
        return np.asarray(disc, np.uint8)

    def _filled(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Fill the holes that are small for their object: taken for shadows, mostly."""
        cv2, smallest = self._cv2, SMALLEST_SHARE * pixels.size
        rims, tree = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        if not rims:
            return pixels
        areas = [cv2.contourArea(rim) for rim in rims]
        small = [
            rim
            for rim, area, (*_, parent) in zip(rims, areas, tree[0].tolist(), strict=True)
            if parent >= 0 and area < max(_HOLE * smallest, _HOLE_SHARE * areas[parent])
        ]
        cv2.drawContours(pixels, small, -1, 255, cv2.FILLED)
        return pixels

    def _alive(self, pixels: NDArray[np.uint8], stirred: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Drop the pieces that are too small for objects, and those in which nothing stirs."""
        cv2, (height, width) = self._cv2, pixels.shape
        count, labels, stats, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA]
        fine = cv2.resize(
            stirred.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
        )
        stirs = np.bincount(labels[fine > 0], minlength=count)
        dropped = (areas < SMALLEST_SHARE * pixels.size) | (stirs < _STIRRING_SHARE * areas)
        dropped[0] = False  # the background
        return np.where(dropped[labels], np.uint8(0), pixels) if dropped.any() else pixels


def regions(cleaned: NDArray[np.uint8], frame_px: Size) -> tuple[Detections, Masks]:
    """Cut cleaned pixels, uint8[h, w] at any size, into objects, the largest first.

    Each has its exact mask: the pixels themselves are the grid. The score is
    0.5 for the smallest region that counts and grows to 1 with the area: a
    larger one is more surely an object.
    """
    cv2 = imported_cv2("the segmentation of motion")
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cleaned, connectivity=8)
    areas = stats[1:count, cv2.CC_STAT_AREA].astype(np.float64)
    smallest = SMALLEST_SHARE * cleaned.size
    order = [i for i in np.argsort(-areas, kind="stable").tolist() if areas[i] >= smallest]
    order = order[:MOST_REGIONS]
    grids, boxes = [], np.zeros((len(order), 4), np.float32)
    for row, index in enumerate(order):
        left, top, width, height = stats[index + 1, :4].tolist()
        piece = labels[top : top + height, left : left + width] == index + 1
        grids.append(np.where(piece, np.uint8(255), np.uint8(0)))
        boxes[row] = left, top, left + width, top + height
    height, width = cleaned.shape
    boxes *= np.array((frame_px[0] / width, frame_px[1] / height) * 2, np.float32)
    boxes = np.minimum(boxes, np.array(frame_px * 2, np.float32))
    scores = (1 - smallest / (2 * areas[order])).astype(np.float32)
    found = Detections(boxes, scores, np.zeros(len(order), np.int32))
    return found, Masks(tuple(grids), boxes, boxes.copy(), frame_px)
