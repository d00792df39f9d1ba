"""What edgeseg promises of other programs' networks, from the definition in float64 NumPy.

Slow and plain on purpose; shares no code with edgeseg/ and csrc/.
"""

from __future__ import annotations

import math
from typing import Any

import definitions
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def centre_weights(source: int, target: int) -> Array:
    """float64[target, source]: bilinear, centres on centres, the edge repeated."""
    weights = np.zeros((target, source))
    for out in range(target):
        position = min(max((out + 0.5) * source / target - 0.5, 0), source - 1)
        low = math.floor(position)
        share = position - low
        weights[out, low] += 1 - share
        weights[out, min(low + 1, source - 1)] += share
    return weights


def centred_letterbox(
    image: Array, size: tuple[int, int], region: tuple[int, int, int, int], pad: float
) -> Array:
    """float64[3, H, W] RGB from 0 to 1: the picture in `region`, padding around it."""
    width, height = size
    x, y, inner_w, inner_h = region
    out = np.full((3, height, width), pad / 255)
    rows = centre_weights(image.shape[0], inner_h)
    columns = centre_weights(image.shape[1], inner_w)
    for plane, channel in enumerate((2, 1, 0)):
        resized = rows @ image[:, :, channel].astype(np.float64) @ columns.T
        out[plane, y : y + inner_h, x : x + inner_w] = resized / 255
    return out


def argmax(scores: Array) -> Array:
    """int[H, W] of float[C, H, W]: the first of the highest, NaN never, 0 where all are NaN."""
    classes, rows, columns = scores.shape
    out = np.zeros((rows, columns), int)
    for y, x in np.ndindex(rows, columns):
        numbers = [i for i in range(classes) if not math.isnan(scores[i, y, x])]
        if numbers:
            highest = max(scores[i, y, x] for i in numbers)
            out[y, x] = next(i for i in numbers if scores[i, y, x] == highest)
    return out


def mask_probability(coefficients: Array, prototypes: Array) -> Array:
    """float64[h, w]: sigmoid of the prototypes float[C, h, w] mixed by float[C]."""
    mixed = sum(
        float(c) * plane.astype(np.float64)
        for c, plane in zip(coefficients, prototypes, strict=True)
    )
    return np.asarray(definitions.sigmoid(np.asarray(mixed)))


def native_mask(
    coefficients: Array,
    prototypes: Array,
    box_px: Array,
    net_px: tuple[int, int],
    region: tuple[int, int, int, int],
    source_px: tuple[int, int],
) -> Array:
    """float64[H, W]: the certainty at each pixel of the source, 0 outside of the box.

    As ultralytics' process_mask_native: mix the prototypes, bring them bilinearly (centres on
    centres) to the picture, leave nothing outside of the box. More than 1/2 is mask.
    """
    probability = mask_probability(coefficients, prototypes)
    rows, columns = probability.shape
    weights = []
    for axis, count in ((0, columns), (1, rows)):
        matrix = np.zeros((source_px[axis], count))
        for pixel in range(source_px[axis]):
            net = region[axis] + (pixel + 0.5) * region[2 + axis] / source_px[axis]
            cell = min(max(net * count / net_px[axis] - 0.5, 0), count - 1)
            low = math.floor(cell)
            matrix[pixel, low] += 1 - (cell - low)
            matrix[pixel, min(low + 1, count - 1)] += cell - low
        weights.append(matrix)
    full = weights[1] @ probability @ weights[0].T
    xs, ys = (np.arange(size) + 0.5 for size in source_px)
    left, top, right, bottom = box_px
    inside = ((xs >= left) & (xs < right))[None] & ((ys >= top) & (ys < bottom))[:, None]
    return np.asarray(np.where(inside, full, 0))


def mask_certainty(grid: Array, region: Array, clip: Array, size_px: tuple[int, int]) -> Array:
    """float64[H, W], 0 to 255: what `types.Masks` says of one mask at each pixel's centre."""
    rows, columns = grid.shape
    sampled = grid.astype(np.float64)
    inside = []
    for axis, count in ((1, rows), (0, columns)):
        centres = np.arange(size_px[axis]) + 0.5
        low, high = region[axis], region[2 + axis]
        cells = np.clip((centres - low) / (high - low) * count - 0.5, 0, count - 1)
        first = np.floor(cells).astype(int)
        share = cells - first
        after = np.minimum(first + 1, count - 1)
        # The first axis of what is left is the one to be sampled; the result goes last.
        sampled = np.moveaxis(sampled, 0, -1)
        sampled = sampled[..., first] * (1 - share) + sampled[..., after] * share
        edges = max(low, clip[axis]), min(high, clip[2 + axis])
        inside.append((centres >= edges[0]) & (centres < edges[1]))
    return np.asarray(np.where(inside[0][:, None] & inside[1][None], sampled, 0))
