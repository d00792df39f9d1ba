"""One training sample: an object cropped through a random warp, with a random bad box.

The warp comes before the box: the object's hull is turned, sheared and mirrored,
its new tight box is jittered as detectors err, and the crop rule of `crop.py`
applies to that. What `crop_of` does exactly is done here by supersampling, which
also allows for the turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.crop import GREY, Box, Matrix, grown, meta_of
from training.pictures import UNKNOWN, Example, Picture

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Sample:
    """What the network learns from."""

    crop: NDArray[np.float32]
    """float32[S, S, 3], 0 to 255."""
    target: NDArray[np.float32]
    """float32[S/2, S/2]: how much of each cell is object."""
    weight: NDArray[np.float32]
    """float32[S/2, S/2]: how much of each cell is known."""
    meta: NDArray[np.float32]
    """float32[3]."""


@dataclass(frozen=True, slots=True)
class View:
    """A rendered object: its crop and, at twice the resolution, who is where."""

    crop: NDArray[np.uint8]
    object: NDArray[np.bool_]
    unknown: NDArray[np.bool_]
    box_px: Box


def plain_sample(example: Example, size_px: int) -> Sample:
    """Give the sample without any chance: the true box."""
    return _sample(_view(example.picture, example.id, example.box_px, np.eye(3), size_px))


def random_sample(
    example: Example, other: Example, size_px: int, rng: Rng, others: float = 0.35
) -> Sample:
    """Give a random variant of `example`; in a share of `others`, `other` stands in its way."""
    warp = _random_warp(rng)
    view = _view(
        example.picture, example.id, jittered(_warped_box(example, warp), rng), warp, size_px
    )
    if rng.random() < others:
        view = _with_other(view, other, size_px, rng)
    sample = _sample(view)
    return Sample(_photographed(sample.crop, rng), sample.target, sample.weight, sample.meta)


def jittered(box_px: Box, rng: Rng) -> Box:
    """Move the sides as detectors do: mostly a little, now and then a lot."""
    kind = rng.random()
    if kind < 0.2:
        return box_px
    if kind < 0.6:
        moves = rng.uniform(-0.1, 0.1, 4) * rng.random() ** 0.5
    else:
        moves = np.clip(rng.normal(size=4) * rng.uniform(0.03, 0.15), -0.35, 0.35)
    width, height = box_px[2] - box_px[0], box_px[3] - box_px[1]
    return box_px + moves * np.array([width, height, width, height])


def _random_warp(rng: Rng) -> Matrix:
    angle = np.radians(rng.normal() * 8) if rng.random() < 0.6 else 0.0
    stretch, shear = np.exp(rng.normal() * 0.12), rng.normal() * 0.06
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = np.cos(angle), np.sin(angle)
    warp = np.eye(3)
    warp[:2, :2] = (
        np.array([[cos, -sin], [sin, cos]])
        @ np.array([[stretch, shear], [0, 1 / stretch]])
        @ np.diag([mirror, 1.0])
    )
    return warp


def _warped_box(example: Example, warp: Matrix) -> Box:
    points = example.hull_px @ warp[:2, :2].T
    return np.concatenate([points.min(0), points.max(0)])


def _view(picture: Picture, number: int, box_px: Box, warp: Matrix, size_px: int) -> View:
    left, top, right, bottom = grown(box_px)
    to_unit = np.diag([1 / (right - left), 1 / (bottom - top), 1.0])
    to_unit[:2, 2] = -left / (right - left), -top / (bottom - top)
    to_unit = to_unit @ warp
    ids = _warped(picture.ids, to_unit, (2 * size_px, 2 * size_px), cv2.INTER_NEAREST, 0)
    return View(_render(picture, to_unit, size_px), ids == number, ids == UNKNOWN, box_px)


def _render(picture: Picture, to_unit: Matrix, size_px: int) -> NDArray[np.uint8]:
    cell = np.linalg.inv(to_unit)[:2, :2] / size_px
    wide, high = np.hypot(*cell[:, 0]), np.hypot(*cell[:, 1])
    level = int(np.clip(np.floor(np.log2(min(wide, high))), 0, len(picture.levels) - 1))
    image = picture.levels[level]
    times = [int(np.clip(np.ceil(side / 2**level - 0.1), 1, 4)) for side in (wide, high)]
    shrink = np.array(
        [picture.ids.shape[1] / image.shape[1], picture.ids.shape[0] / image.shape[0]]
    )
    scaled = to_unit @ np.diag([*shrink, 1.0])
    size = (size_px * times[0], size_px * times[1])
    many = _warped(image, scaled, size, cv2.INTER_LINEAR, GREY)
    if times == [1, 1]:
        return many
    return cv2.resize(many, (size_px, size_px), interpolation=cv2.INTER_AREA)


def _warped(
    image: NDArray[np.uint8], to_unit: Matrix, size: tuple[int, int], how: int, border: int
) -> NDArray[np.uint8]:
    matrix = np.diag([size[0], size[1], 1.0]) @ to_unit
    # cv2 puts pixel (0, 0)'s centre at the origin, we put its corner there.
    matrix[:2, 2] += 0.5 * matrix[:2, :2].sum(1) - 0.5
    return cv2.warpAffine(
        image,
        matrix[:2],
        size,
        flags=how,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(border,) * 3,
    )


def _with_other(view: View, other: Example, size_px: int, rng: Rng) -> View:
    """Put the object before another picture, before a neighbour, or behind it."""
    box = other.box_px
    scale = rng.uniform(0.6, 1.8)
    half = (box[2:] - box[:2]) * scale / 2
    centre = (box[2:] + box[:2]) / 2 + rng.uniform(-1.1, 1.1, 2) * half * 2
    their_box = np.concatenate([centre - half, centre + half])
    mirror = np.eye(3)
    theirs = _view(other.picture, other.id, their_box, mirror, size_px)
    kind = rng.random()
    if kind < 0.35:
        front, keep = view.object, view.object
        crop = _blend(theirs.crop, view.crop, front)
        return View(crop, keep, np.zeros_like(keep), view.box_px)
    if kind < 0.7:
        front = theirs.object & ~view.object
        return View(_blend(view.crop, theirs.crop, front), view.object, view.unknown, view.box_px)
    keep = view.object & ~theirs.object
    if keep.sum() < 0.5 * view.object.sum() or _extent_moved(view.object, keep) > 0.05:
        return view
    crop = _blend(view.crop, theirs.crop, theirs.object)
    return View(crop, keep, view.unknown & ~theirs.object, view.box_px)


def _blend(
    back: NDArray[np.uint8], front: NDArray[np.uint8], where: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    alpha = _share(where, back.shape[0])
    alpha = cv2.GaussianBlur(alpha, (3, 3), 0)[:, :, None]
    return (front * alpha + back * (1 - alpha) + 0.5).astype(np.uint8)


def _extent_moved(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """Give how far the tight box's sides moved, as a share of the crop."""
    sides = []
    for mask in (before, after):
        x, y = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        if not len(x):
            return 1.0
        sides.append(np.array([x[0], y[0], x[-1], y[-1]]))
    return float(np.abs(sides[0] - sides[1]).max() / len(before))


def _share(mask: NDArray[np.bool_], size_px: int) -> NDArray[np.float32]:
    return cv2.resize(mask.astype(np.float32), (size_px, size_px), interpolation=cv2.INTER_AREA)


def _sample(view: View) -> Sample:
    half = view.crop.shape[0] // 2
    known = 1 - _share(view.unknown, half)
    return Sample(
        view.crop.astype(np.float32), _share(view.object, half), known, meta_of(view.box_px)
    )


def _photographed(crop: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Change light, colour, sharpness and noise; hide a patch now and then."""
    size = crop.shape[0]
    if rng.random() < 0.12:  # as if the object had been small in its frame
        small = int(rng.uniform(0.2, 0.7) * size)
        tiny = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(tiny, (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.8:
        crop = crop * rng.uniform(0.65, 1.4) + rng.uniform(-25, 25)
        mean = crop.mean()
        crop = (crop - mean) * rng.uniform(0.65, 1.4) + mean
        grey = crop.mean(2, keepdims=True)
        crop = grey + (crop - grey) * rng.uniform(0.3, 1.6)
        crop = crop * rng.uniform(0.9, 1.1, (1, 1, 3)).astype(np.float32)
    if rng.random() < 0.08:
        crop = np.repeat(crop.mean(2, keepdims=True), 3, 2)
    if rng.random() < 0.1:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 1.6))
    if rng.random() < 0.15:
        noise = rng.standard_normal(crop.shape, np.float32)
        crop = crop + noise * np.float32(rng.uniform(2, 12))
    if rng.random() < 0.15:
        crop = crop.copy()
        height, width = (rng.uniform(0.08, 0.25, 2) * size).astype(int)
        y, x = rng.integers(0, size - height), rng.integers(0, size - width)
        crop[y : y + height, x : x + width] = rng.uniform(0, 255, 3)
    return np.clip(crop, 0, 255)
