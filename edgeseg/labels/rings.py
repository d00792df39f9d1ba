"""Masks and polygons.

Rings run along pixel edges. A pixel is inside when its centre is, by the
even-odd rule, so a cut that is walked there and back changes nothing: that is
how several rings become one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.labels.types import Mask
from edgeseg.types import Size

Ring = NDArray[np.float32]
"""float32[K, 2]: x, y of each corner, not closed."""

_SEARCHED = 20_000
"""Corners beyond which the shortest cut is no longer looked for: the search is quadratic."""
_ROWS = 256


def parts_of(mask: Mask, tolerance_px: float = 0.0) -> list[list[Ring]]:
    """Trace a mask: for each connected part its outer ring, then its holes, in picture pixels."""
    corner = np.array(mask.box_px[:2], np.float32)
    parts: list[list[Ring]] = []
    for ring, is_hole in _native.trace_polygons(mask.pixels(), tolerance_px=tolerance_px):
        if is_hole:
            parts[-1].append(ring + corner)
        else:
            parts.append([ring + corner])
    return parts


def joined(rings: Sequence[Ring]) -> Ring:
    """Make one ring of several by cuts of no width, always to the nearest ring left.

    The even-odd rule fills it as it fills the rings together.
    """
    if not rings:
        raise ValueError("there must be a ring to join")
    whole, left = rings[0], list(rings[1:])
    if left and sum(len(ring) for ring in rings) > _SEARCHED:
        return _joined_in_order(rings)
    # For each ring left: its distance to `whole`, and the corners that have it.
    nearest = [_nearest(whole, ring) for ring in left]
    while left:
        chosen = min(range(len(left)), key=lambda number: nearest[number][0])
        _, here, there = nearest.pop(chosen)
        ring = left.pop(chosen)
        added = np.concatenate([ring[there:], ring[: there + 1]])
        grown = np.concatenate([whole[: here + 1], added, whole[here:]])
        inserted = len(added) + 1
        for number, (distance, at, other) in enumerate(nearest):
            moved = at if at <= here else at + inserted
            fresh = _nearest(added, left[number])
            closer = fresh[0] < distance
            nearest[number] = (
                (fresh[0], here + 1 + fresh[1], fresh[2]) if closer else (distance, moved, other)
            )
        whole = grown
    return whole


def mask_of(rings: Iterable[Ring], size_px: Size) -> Mask | None:
    """Fill rings by the even-odd rule; None when no pixel of the picture has its centre inside."""
    kept = [ring for ring in rings if len(ring) >= 3]
    if not kept:
        return None
    corners = np.concatenate(kept)
    low = np.floor(corners.min(axis=0)).clip(0, size_px).astype(int)
    high = np.ceil(corners.max(axis=0)).clip(0, size_px).astype(int)
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    if right <= left or bottom <= top:
        return None
    shifted = [np.ascontiguousarray(ring - low, np.float32) for ring in kept]
    filled = _native.fill_polygons(shifted, (bottom - top, right - left))
    return Mask.from_pixels(filled, left, top)


def union_of(masks: Iterable[Mask | None]) -> Mask | None:
    """Give the mask that holds the pixels of all."""
    found = [mask for mask in masks if mask is not None]
    if len(found) < 2:
        return found[0] if found else None
    boxes = np.array([mask.box_px for mask in found])
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    pixels = np.zeros((bottom - top, right - left), np.bool_)
    for mask in found:
        x, y = mask.box_px[0] - left, mask.box_px[1] - top
        rows, columns = mask.shape
        pixels[y : y + rows, x : x + columns] |= mask.pixels()
    return Mask.from_pixels(pixels, left, top)


def _nearest(a: Ring, b: Ring) -> tuple[float, int, int]:
    """Give the square of the distance of two rings' nearest corners, and which they are."""
    best = (float("inf"), 0, 0)
    for start in range(0, len(a), _ROWS):
        apart = a[start : start + _ROWS, None, :] - b[None, :, :]
        square = np.einsum("ijk,ijk->ij", apart, apart)
        place = int(square.argmin())
        found = float(square.flat[place])
        if found < best[0]:
            best = (found, start + place // len(b), place % len(b))
    return best


def _joined_in_order(rings: Sequence[Ring]) -> Ring:
    """Join every ring at its first corner to the first corner of the first."""
    first = rings[0][:1]
    pieces = [rings[0], first]
    for ring in rings[1:]:
        pieces += [ring, ring[:1], first]
    return np.concatenate(pieces)
