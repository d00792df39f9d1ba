"""What the mask ops promise, written from the definition in float64 NumPy.

Slow and plain on purpose; shares no code with csrc/.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Edges = tuple[float, float, float, float]


def crop_weights(low: float, high: float, cells: int, length: int) -> Array:
    """float64[cells, length]: the part of each pixel in each cell's footprint."""
    step = (high - low) / cells
    size = max(step, 1.0)
    weights = np.zeros((cells, length))
    for cell in range(cells):
        begin = low + (cell + 0.5) * step - size / 2
        for pixel in range(length):
            shared = min(pixel + 1, begin + size) - max(pixel, begin)
            weights[cell, pixel] = max(shared, 0.0) / size
    return weights


def crop_resize(image: Array, box: Array, size: tuple[int, int], pad: float = 114.0) -> Array:
    """float64[3, h, w] RGB from 0 to 1, for one box; `size` is (h, w)."""
    left, top, right, bottom = (float(edge) for edge in box)
    if not np.isfinite(box).all() or right < left or bottom < top:
        return np.full((3, *size), pad / 255)
    rows = crop_weights(top, bottom, size[0], image.shape[0])
    columns = crop_weights(left, right, size[1], image.shape[1])
    planes = [
        pad + rows @ (image[:, :, channel].astype(np.float64) - pad) @ columns.T
        for channel in (2, 1, 0)
    ]
    return np.stack(planes) / 255


def cell_weights(low: float, high: float, cells: int, pixel: int) -> Array:
    """float64[cells]: linear between the centres of the cells, the outermost going on."""
    place = (pixel + 0.5 - low) / (high - low) * cells - 0.5
    place = min(max(place, 0.0), cells - 1.0)
    index = math.floor(place)
    weights = np.zeros(cells)
    weights[index] += 1 - (place - index)
    weights[min(index + 1, cells - 1)] += place - index
    return weights


def holds(low: float, high: float, pixel: int) -> bool:
    return low <= pixel + 0.5 < high


def certainty(
    grid: Array, region: Edges, clip: Edges, box: tuple[int, int, int, int]
) -> tuple[Array, Array]:
    """float64[h, w] and bool[h, w]: the certainty of each pixel, and where it can be mask."""
    left, top, right, bottom = box
    values = np.zeros((bottom - top, right - left))
    inside = np.zeros(values.shape, bool)
    sound = np.isfinite(region).all() and region[0] < region[2] and region[1] < region[3]
    if not (grid.size and sound and clip[0] < clip[2] and clip[1] < clip[3]):
        return values, inside
    cells = grid.astype(np.float64)
    for y in range(top, bottom):
        for x in range(left, right):
            held_x = holds(region[0], region[2], x) and holds(clip[0], clip[2], x)
            if not (held_x and holds(region[1], region[3], y) and holds(clip[1], clip[3], y)):
                continue
            rows = cell_weights(region[1], region[3], grid.shape[0], y)
            columns = cell_weights(region[0], region[2], grid.shape[1], x)
            inside[y - top, x - left] = True
            values[y - top, x - left] = rows @ cells @ columns
    return values, inside


def even_odd(rings: list[Array], size: tuple[int, int]) -> Array:
    """bool[h, w]: whether a ray from each pixel's centre to the left crosses an odd number."""
    out = np.zeros(size, bool)
    for y, x in np.ndindex(*size):
        crossed = 0
        for ring in rings:
            points = ring.astype(np.float64).tolist()
            for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
                if (y0 <= y + 0.5) != (y1 <= y + 0.5):
                    crossed += x0 + (y + 0.5 - y0) * (x1 - x0) / (y1 - y0) <= x + 0.5
        out[y, x] = crossed % 2 == 1
    return out


def runs_of(mask: Array) -> list[int]:
    """Lengths of the runs down the columns, the first without mask."""
    runs, kind = [0], False
    for value in mask.astype(bool).T.reshape(-1):
        if value != kind:
            runs.append(0)
            kind = bool(value)
        runs[-1] += 1
    return runs


def mask_coverage(grid: Array, region: Edges, clip: Edges, size: tuple[int, int]) -> Array:
    """float64[h, w]: the part of each pixel that a mask covers.

    The distance to the edge, in pixels, is taken to be what the certainty is above 128,
    divided by how much it changes from here to the next pixel, across or down, the larger
    (but at least 1). Where it does not change at all, a pixel is covered or is not.
    """
    cells = grid.astype(np.float64)
    tiny = 1e-6

    def value(x: float, y: float) -> float:
        rows = cell_weights(region[1], region[3], grid.shape[0], y - 0.5)
        columns = cell_weights(region[0], region[2], grid.shape[1], x - 0.5)
        return float(rows @ cells @ columns)

    _, inside = certainty(grid, region, clip, (0, 0, size[1], size[0]))
    out = np.zeros(size)
    for row, column in np.argwhere(inside):
        x, y = column + 0.5, row + 0.5
        here = value(x, y)
        across = abs(value(x + tiny, y) - here) / tiny
        down = abs(value(x, y + tiny) - here) / tiny
        if max(across, down) == 0:
            out[row, column] = here >= 128
        else:
            out[row, column] = min(max(0.5 + (here - 128) / max(across, down, 1.0), 0.0), 1.0)
    return out


def blend(
    image: Array, grids: list[Array], regions: Array, clips: Array, colors: Array, alpha: float
) -> Array:
    """float64[H, W, 3]: what the first mask leaves of a pixel goes to the next."""
    left = np.ones(image.shape[:2])
    tint = np.zeros(image.shape)
    for grid, region, clip, color in zip(grids, regions, clips, colors, strict=True):
        covered = mask_coverage(grid, tuple(region), tuple(clip), image.shape[:2])
        tint += (left * covered)[:, :, None] * color.astype(np.float64)
        left = left * (1 - covered)
    return image * (1 - alpha * (1 - left))[:, :, None] + alpha * tint
