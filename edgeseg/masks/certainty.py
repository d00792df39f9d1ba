"""How surely each pixel is of an object, from the compact masks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.types import Masks

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels; right and bottom are outside."""


def box_of(masks: Masks, row: int) -> Box:
    """Give the pixels that one mask may touch, inside of the frame.

    (0, 0, 0, 0) when there are none: no grid, a region off the frame, of no
    area or not finite.
    """
    region, clip = masks.regions_px[row].tolist(), masks.clips_px[row].tolist()
    if not masks.grids[row].size or not all(map(math.isfinite, region)):
        return 0, 0, 0, 0
    left, right = _span(region[::2], clip[::2], masks.frame_px[0])
    top, bottom = _span(region[1::2], clip[1::2], masks.frame_px[1])
    if left >= right or top >= bottom:
        return 0, 0, 0, 0
    return left, top, right, bottom


def certainty(masks: Masks, row: int) -> tuple[Box, NDArray[np.uint8]]:
    """Give `box_of` one mask and 0 to 255 for each pixel of it; 128 and more is mask."""
    box = box_of(masks, row)
    region, clip = masks.regions_px[row].tolist(), masks.clips_px[row].tolist()
    return box, _native.paste(masks.grids[row], region, clip, box)


def _span(region: list[float], clip: list[float], limit: int) -> tuple[int, int]:
    """Give the first pixel whose centre lies in both and the first beyond; none with NaN."""
    if math.isnan(clip[0]) or math.isnan(clip[1]):
        return 0, 0
    low = min(max(region[0], clip[0], 0.0), float(limit))
    high = min(max(min(region[1], clip[1]), 0.0), float(limit))
    return math.ceil(low - 0.5), math.ceil(high - 0.5)
