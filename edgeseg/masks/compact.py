"""What is made of compact masks: arrays, polygons, COCO's run lengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.masks.certainty import certainty
from edgeseg.types import Masks

Ring = tuple[NDArray[np.float32], bool]
"""float32[K, 2] points (x, y) in the frame, and whether it is a hole."""


def pixels(masks: Masks, row: int) -> NDArray[np.bool_]:
    """Give bool[h, w] of the mask's box."""
    _, found = certainty(masks, row)
    result: NDArray[np.bool_] = found >= 128
    return result


def dense(masks: Masks) -> NDArray[np.bool_]:
    """Give bool[N, H, W]; the only one here that makes arrays of the frame's size."""
    width, height = masks.frame_px
    out = np.zeros((len(masks), height, width), bool)
    for row in range(len(masks)):
        (left, top, right, bottom), found = certainty(masks, row)
        np.greater_equal(found, 128, out=out[row, top:bottom, left:right])
    return out


def polygons(masks: Masks, tolerance_px: float) -> list[list[Ring]]:
    """Give for each mask its outer rings, each followed by its holes."""
    found = []
    for row in range(len(masks)):
        (left, top, _, _), sure = certainty(masks, row)
        corner = np.array((left, top), np.float32)
        rings = _native.trace_polygons(sure >= 128, tolerance_px=tolerance_px)
        found.append([(points + corner, is_hole) for points, is_hole in rings])
    return found


def to_coco(masks: Masks) -> list[dict[str, object]]:
    """Give for each mask the compressed run lengths of the whole frame."""
    width, height = masks.frame_px
    found: list[dict[str, object]] = []
    for row in range(len(masks)):
        (left, top, _, _), sure = certainty(masks, row)
        counts = _native.rle_encode(sure >= 128, size=(height, width), corner=(left, top))
        found.append({"size": [height, width], "counts": counts.decode("ascii")})
    return found


def record(masks: Masks, row: int) -> dict[str, object] | None:
    """Give the `mask` of a JSON object: box, size and run lengths of the box; None without one."""
    box, sure = certainty(masks, row)
    if not sure.size:
        return None
    counts = _native.rle_encode(sure >= 128)
    return {"box": list(box), "size": list(sure.shape), "rle": counts.decode("ascii")}
