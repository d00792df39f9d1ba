"""Boxes set right by their masks: a detector's box often cuts its object or is too wide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import Masks

STEP = 0.7
"""How far each side moves towards the mask's extent; all the way would follow its errors."""
LEAST_CHANGE = 0.15
"""A side that would move by this share of the box's size, or more, says that the box is bad.
Good boxes are left alone: a second look makes them a little worse."""


def better_boxes(
    masks: Masks, boxes_px: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give the rows whose box does not fit its mask, int64[M], and their new boxes, float32[M, 4].

    Objects without a mask, or with an empty one, keep their box.
    """
    rows, boxes = [], []
    for row, grid in enumerate(masks.grids):
        extent = _extent_px(grid, masks.regions_px[row])
        if extent is None:
            continue
        box = boxes_px[row]
        move = extent - box
        size = np.tile(box[2:] - box[:2], 2)
        if np.abs(move / size).max() >= LEAST_CHANGE:
            rows.append(row)
            boxes.append(box + np.float32(STEP) * move)
    return np.array(rows, np.int64), np.array(boxes, np.float32).reshape(-1, 4)


def _extent_px(
    grid: NDArray[np.uint8], region_px: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """Give the box around the cells of a mask, or None when it has none."""
    inside = grid >= 128
    columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
    if len(columns) == 0:
        return None
    cells = np.array(grid.shape[::-1] * 2, np.float32)
    ends = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
    size = np.tile(region_px[2:] - region_px[:2], 2)
    extent: NDArray[np.float32] = np.tile(region_px[:2], 2) + ends / cells * size
    return extent
