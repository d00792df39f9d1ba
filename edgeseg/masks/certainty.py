"""How surely each pixel is of an object, from the compact masks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import Masks

Box = tuple[int, int, int, int]


def certainty(masks: Masks, row: int) -> tuple[Box, NDArray[np.uint8]]:
    """Give the whole pixels one mask may touch, and 0 to 255 for each; 128 and more is mask.

    The box is left, top, right, bottom inside the frame; it is empty for an
    object without a mask.
    """
    grid, region, clip = masks.grids[row], masks.regions_px[row], masks.clips_px[row]
    limits = np.array(masks.frame_px * 2, np.float64)
    low = np.maximum(region[:2], clip[:2]).clip(0, limits[:2])
    high = np.minimum(region[2:], clip[2:]).clip(0, limits[2:])
    left, top = (math.floor(edge) for edge in low.tolist())
    right, bottom = (math.ceil(edge) for edge in high.tolist())
    if grid.size == 0 or right <= left or bottom <= top:
        return (0, 0, 0, 0), np.zeros((0, 0), np.uint8)
    across = _taps(left, right, (region[0], region[2]), (low[0], high[0]), grid.shape[1])
    down = _taps(top, bottom, (region[1], region[3]), (low[1], high[1]), grid.shape[0])
    values = down @ grid.astype(np.float32) @ across.T
    return (left, top, right, bottom), (values + np.float32(0.5)).astype(np.uint8)


def _taps(
    first: int, last: int, region: tuple[float, float], clip: tuple[float, float], cells: int
) -> NDArray[np.float32]:
    """Give float32[last - first, cells]: the bilinear weights of each pixel's centre."""
    centres = np.arange(first, last) + 0.5
    length = max(float(region[1] - region[0]), 1e-6)
    place = ((centres - region[0]) / length * cells - 0.5).clip(0, cells - 1)
    lower = np.minimum(place.astype(np.int64), max(cells - 2, 0))
    weights = np.zeros((last - first, cells), np.float32)
    rows = np.arange(last - first)
    weights[rows, lower] = 1 - (place - lower)
    weights[rows, np.minimum(lower + 1, cells - 1)] += (place - lower).astype(np.float32)
    weights[(centres < clip[0]) | (centres >= clip[1])] = 0
    return weights
