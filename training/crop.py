"""The crop rule of the mask head, and the way back from its logits to the image.

The rule. A box (left, top, right, bottom; pixel (x, y) covers [x, x+1) x [y, y+1))
grows by 0.2 of its width to the left and to the right and by 0.2 of its height
above and below. The grown box is divided into 128 x 128 equal cells, its aspect
not kept. An output pixel is the mean of the image over a rectangle around its
cell's centre that is as large as the cell, but at least one pixel wide and one
pixel high; parts of pixels count by their area. So growing is bilinear
interpolation and shrinking is area averaging, without a step between them, each
axis for itself. Outside of the image everything is grey 114. Values are RGB
divided by 255, not rounded.

Beside the pixels goes `meta`, three numbers that the warp hides: log(w / h),
log(sqrt(w h) / 64) / 2, and 1, of the box before it grew.

The way back. The 64 x 64 logits lie over the same grown box; they are read
bilinearly at the centre of each image pixel, with the outermost logits going on
outside of their centres. Positive is mask. Pixels further than 5 % of the box
outside of it are never mask.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

MARGIN = 0.2
CROP_PX = 128
LOGITS_PX = 64
GREY = 114
CLIP = 0.05

Box = NDArray[np.float64]
"""float64[4]: left, top, right, bottom in image pixels."""
Matrix = NDArray[np.float64]
"""float64[3, 3] that moves points; pixel (0, 0) covers [0, 1) x [0, 1)."""


def grown(box_px: Box, margin: float = MARGIN) -> Box:
    """Give the box grown by `margin` of its width and height on every side."""
    left, top, right, bottom = box_px
    dx, dy = margin * (right - left), margin * (bottom - top)
    return np.array([left - dx, top - dy, right + dx, bottom + dy])


def meta_of(box_px: Box) -> NDArray[np.float32]:
    """Give what the warp hides of a box: float32[3]."""
    width, height = box_px[2] - box_px[0], box_px[3] - box_px[1]
    return np.array(
        [np.log(width / height), 0.5 * np.log(np.sqrt(width * height) / 64), 1.0], np.float32
    )


def crop_of(image: NDArray[np.uint8], box_px: Box, size_px: int = CROP_PX) -> NDArray[np.float32]:
    """Crop by the rule: float32[size, size, 3] from 0 to 1, channels as in `image`."""
    left, top, right, bottom = grown(box_px)
    x0, across = _axis(left, right, image.shape[1], size_px)
    y0, down = _axis(top, bottom, image.shape[0], size_px)
    part = image[y0 : y0 + down.shape[1], x0 : x0 + across.shape[1]].astype(np.float32)
    part -= GREY
    rows = (down @ part.reshape(len(part), -1)).reshape(size_px, -1, 3)
    crop = np.matmul(across, rows) + np.float32(GREY)
    return crop / np.float32(255)


def _axis(start: float, end: float, length: int, size_px: int) -> tuple[int, NDArray[np.float32]]:
    """Give the first pixel used on one axis and float32[size, pixels] weights."""
    step = (end - start) / size_px
    centres = start + (np.arange(size_px) + 0.5) * step
    half = max(step, 1.0) / 2
    first = int(np.clip(np.floor(centres[0] - half), 0, length - 1))
    last = int(np.clip(np.ceil(centres[-1] + half), first + 1, length))
    pixels = np.arange(first, last)
    right = np.minimum(pixels[None] + 1, centres[:, None] + half)
    left = np.maximum(pixels[None], centres[:, None] - half)
    return first, (np.maximum(right - left, 0) / (2 * half)).astype(np.float32)


def paste(
    logits: NDArray[np.float32], box_px: Box, size_px: tuple[int, int], clip: float = CLIP
) -> tuple[tuple[int, int, int, int], NDArray[np.bool_]]:
    """Give the mask of one object: its region (left, top, right, bottom) and bool[h, w].

    `size_px` is the image's (width, height). The region is the box grown by
    `clip`, rounded, inside the image, and at least one pixel.
    """
    edges = np.rint(grown(box_px, clip)).astype(int)
    left, right = _inside(edges[0], edges[2], size_px[0])
    top, bottom = _inside(edges[1], edges[3], size_px[1])
    g_left, g_top, g_right, g_bottom = grown(box_px)
    count = logits.shape[-1]
    x = (np.arange(left, right) + 0.5 - g_left) / (g_right - g_left) * count - 0.5
    y = (np.arange(top, bottom) + 0.5 - g_top) / (g_bottom - g_top) * count - 0.5
    grid_x, grid_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    read = cv2.remap(logits, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return (left, top, right, bottom), read > 0


def _inside(low: int, high: int, length: int) -> tuple[int, int]:
    low = int(np.clip(low, 0, length - 1))
    return low, int(np.clip(high, low + 1, length))
