"""The rows of bench_ops.py for the mask ops: native beside OpenCV and NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg import _native

Picture = NDArray[np.uint8]
Boxes = NDArray[np.float32]
Sides = dict[str, Callable[[], Any]]
CROP_PX = 128
ALPHA = 0.45


def smooth_picture(width: int, height: int) -> Picture:
    """Give a picture without fine detail, in which two ways of resizing agree."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 8), np.uint8)


def boxes_inside(count: int, size_px: tuple[int, int], sides: tuple[int, int]) -> Boxes:
    """Give whole-pixel boxes of sides in a range."""
    rng = np.random.default_rng(1)
    extent = rng.integers(*sides, (count, 2))
    corner = rng.integers(0, np.array(size_px) - extent)
    return np.hstack([corner, corner + extent]).astype(np.float32)


def disc_grid(side: int = 64) -> Picture:
    """Give the certainties of a disc, soft at its edge as those of a network are."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.clip((0.4 * side - np.hypot(x, y)) * 16 + 128, 0, 255).astype(np.uint8)


def crop_case(count: int, sides: tuple[int, int]) -> tuple[str, Sides, int]:
    """Crop boxes of a 1080p frame; OpenCV averages over areas as we do."""
    image = smooth_picture(1920, 1080)
    boxes = boxes_inside(count, (1920, 1080), sides)
    out = np.empty((count, 3, CROP_PX, CROP_PX), np.float32)
    blobs = np.empty_like(out)

    def opencv() -> None:
        for blob, (left, top, right, bottom) in zip(blobs, boxes.astype(int), strict=True):
            part = image[top:bottom, left:right]
            shrinks = min(part.shape[:2]) > CROP_PX
            kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            blob[:] = cv2.dnn.blobFromImage(
                cv2.resize(part, (CROP_PX, CROP_PX), interpolation=kind), 1 / 255, swapRB=True
            )[0]

    native = partial(_native.crop_resize, image, boxes, out)
    native()
    opencv()
    if float(np.abs(out - blobs).mean()) > 2 / 255:
        raise AssertionError("the two ways of cropping differ")
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    case = f"{count} boxes of {sides[0]} to {sides[1]} px, 1080p to {CROP_PX}"
    return case, {"native": native, "opencv": opencv}, out.nbytes + int(3 * areas.sum())


def paste_case(side: int) -> tuple[str, Sides, int]:
    """Stretch one grid over a box and cut it at one half."""
    grid = disc_grid()
    box = (100, 100, 100 + side, 100 + side)
    native = partial(_native.paste, grid, box, box, box)

    def opencv() -> Any:
        return cv2.resize(grid, (side, side), interpolation=cv2.INTER_LINEAR)

    if ((native() >= 128) != (opencv() >= 128)).mean() > 0.01:
        raise AssertionError("the two ways of pasting differ")
    return f"64 x 64 to {side} x {side}", {"native": native, "opencv": opencv}, side * side


def blend_by_hand(
    image: Picture, grid: Picture, boxes: Boxes, colors: Picture, taken: Picture
) -> None:
    """Blend as one writes it: masks resized by OpenCV, pixels mixed by NumPy, first in front."""
    taken[:] = 0
    for (left, top, right, bottom), color in zip(boxes.astype(int), colors, strict=True):
        mask = cv2.resize(grid, (right - left, bottom - top)) >= 128
        mask &= taken[top:bottom, left:right] == 0
        taken[top:bottom, left:right][mask] = 1
        part = image[top:bottom, left:right]
        part[mask] = (part[mask] * (1 - ALPHA) + color * ALPHA).astype(np.uint8)


def blend_case(
    count: int, size_px: tuple[int, int], sides: tuple[int, int]
) -> tuple[str, Sides, int]:
    """Lay masks over a frame; both sides start from a copy of it."""
    image = smooth_picture(*size_px)
    grid, boxes = disc_grid(), boxes_inside(count, size_px, sides)
    colors = np.random.default_rng(2).integers(0, 256, (count, 3), dtype=np.uint8)
    canvas, taken = image.copy(), np.zeros(image.shape[:2], np.uint8)

    def native() -> None:
        np.copyto(canvas, image)
        _native.blend(canvas, [grid] * count, boxes, boxes, colors, alpha=ALPHA)

    def by_hand() -> None:
        np.copyto(canvas, image)
        blend_by_hand(canvas, grid, boxes, colors, taken)

    native()
    ours = canvas.astype(np.int16)
    by_hand()
    if float(np.abs(ours - canvas).mean()) > 1:
        raise AssertionError("the two ways of blending differ")
    sides_of: Sides = {
        "native": native,
        "opencv and numpy": by_hand,
        "copy of the frame alone": lambda: np.copyto(canvas, image),
    }
    return f"{count} masks in {size_px[0]}x{size_px[1]}", sides_of, 2 * image.nbytes


def cases() -> list[tuple[str, str, Sides, int]]:
    """Give op, case, sides and bytes that must be moved."""
    return [
        ("crop_resize", *crop_case(8, (60, 500))),
        ("crop_resize", *crop_case(8, (380, 420))),
        ("crop_resize", *crop_case(8, (20, 60))),
        ("paste", *paste_case(400)),
        ("paste", *paste_case(60)),
        ("blend", *blend_case(20, (1920, 1080), (100, 500))),
        ("blend", *blend_case(200, (3840, 2160), (100, 500))),
    ]
