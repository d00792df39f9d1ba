"""What is laid over the picture below the boxes: class maps and the objects' masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.colors import PALETTE, Color
from edgeseg.types import ClassMap, Masks

MASK_ALPHA = 0.45
MAP_ALPHA = 0.5


_CLASS_COLORS = np.array(PALETTE, np.uint8)


def lay_class_map(out: NDArray[np.uint8], class_map: ClassMap) -> None:
    """Tint every pixel in its class's colour, as the map's nearest cell has it.

    The background and pixels of no class are left as they are.
    """
    if class_map.classes.size:
        hidden = -1 if class_map.background is None else class_map.background
        _native.blend_classes(
            out, class_map.classes, class_map.region, _CLASS_COLORS, alpha=MAP_ALPHA, hidden=hidden
        )


def front_to_back(boxes_px: NDArray[np.float32]) -> NDArray[np.int64]:
    """Order objects by nearness: the smaller box lies in front, of equal ones the earlier row.

    What is large and near hides what is small and behind it; so where both
    claim a pixel, the small one is the nearer: the tie lies before the
    person, the person before the bus. Boxes that are not finite come last.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.maximum(boxes_px[:, 2:] - boxes_px[:, :2], 0).astype(np.float64)
        areas = np.nan_to_num(sizes[:, 0] * sizes[:, 1], nan=np.inf, posinf=np.inf)
    return np.argsort(areas, kind="stable")


def lay_masks(
    out: NDArray[np.uint8],
    masks: Masks,
    boxes_px: NDArray[np.float32],
    colors: Sequence[Color],
) -> None:
    """Tint each pixel in the colour of the nearest object whose mask covers it."""
    order = front_to_back(boxes_px)
    ordered = masks.select(order)
    _native.blend(
        out,
        ordered.grids,
        np.ascontiguousarray(ordered.regions_px, np.float32),
        np.ascontiguousarray(ordered.clips_px, np.float32),
        np.array([colors[row] for row in order], np.uint8).reshape(-1, 3),
        alpha=MASK_ALPHA,
    )
