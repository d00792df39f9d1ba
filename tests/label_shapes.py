"""Masks of every difficult shape, and labels made of them."""

from __future__ import annotations

import numpy as np

from edgeseg.labels.types import LabelObject, LabelPicture, Mask

NAMES = ("person", "traffic light", "tvmonitor")


def shapes(width: int, height: int) -> dict[str, np.ndarray]:
    """Give masks that break careless code, as bool[height, width]; at least 12 x 12."""
    rows, columns = np.mgrid[:height, :width]
    empty = np.zeros((height, width), bool)

    def box(left, top, right, bottom):
        return (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)

    disc = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < (min(width, height) / 2 - 1) ** 2
    noise = np.random.default_rng(7).random((height, width)) < 0.5
    one, corner = empty.copy(), empty.copy()
    one[5, 7] = True
    corner[height - 1, width - 1] = True
    diagonal = empty.copy()
    diagonal[np.arange(8), np.arange(8)] = True
    frame, window = box(0, 0, 5, 5) & ~box(2, 2, 3, 3), box(6, 6, 12, 12) & ~box(8, 8, 10, 10)
    ring = box(1, 1, 11, 11) & ~box(3, 3, 9, 9)
    return {
        "box": box(2, 3, 8, 9),
        "disc": disc,
        "one pixel": one,
        "one pixel in the corner": corner,
        "a row": box(0, 4, width, 5),
        "a column": box(4, 0, 5, height),
        "diagonal pixels": diagonal,
        "the whole picture": ~empty,
        "touching the edge": box(0, 0, 5, height),
        "a hole": ring,
        "two holes": box(0, 0, 12, 8) & ~box(1, 1, 4, 4) & ~box(6, 3, 9, 6),
        "a hole of one pixel": box(2, 2, 9, 9) & ~box(5, 5, 6, 6),
        "an island in a hole": ring | box(5, 5, 7, 7),
        "two parts": box(0, 0, 4, 4) | box(7, 6, 12, 11),
        "parts that touch at a corner": box(0, 0, 4, 4) | box(4, 4, 8, 8),
        "parts with holes": frame | window,
        "noise": noise,
    }


def thing(pixels: np.ndarray, class_id: int = 0, **more) -> LabelObject:
    """Make an object whose box is its mask's."""
    mask = Mask.from_pixels(pixels)
    assert mask is not None
    return LabelObject(class_id, mask.bounds, mask, **more)


def without_overlap(objects: list[LabelObject], size_px) -> list[LabelObject]:
    """Take from each object the pixels of those before it; what is left of nothing goes."""
    taken = np.zeros((size_px[1], size_px[0]), bool)
    kept = []
    for item in objects:
        pixels = item.mask.dense(size_px) & ~taken
        taken |= pixels
        if pixels.any():
            kept.append(thing(pixels, item.class_id, score=item.score, track_id=item.track_id))
    return kept


def within_one_pixel(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether each mask lies inside the other when that is grown by a pixel."""

    def grown(mask):
        padded = np.pad(mask, 1)
        return np.any(
            [
                padded[y : y + mask.shape[0], x : x + mask.shape[1]]
                for y in range(3)
                for x in range(3)
            ],
            axis=0,
        )

    return not (a & ~grown(b)).any() and not (b & ~grown(a)).any()


def difficult_pictures() -> list[LabelPicture]:
    """Give each shape in a picture of its own, all in one, boxes alone, and nothing."""
    made = []
    for number, size_px in enumerate([(16, 13), (12, 20)]):
        found = list(shapes(*size_px).values())
        made += [
            LabelPicture(f"{number}{at:03d}.png", size_px, (thing(pixels, at % 3),))
            for at, pixels in enumerate(found)
        ]
        every = tuple(thing(pixels, at % 3) for at, pixels in enumerate(found))
        made.append(LabelPicture(f"{number}all.png", size_px, every))
        made.append(LabelPicture(f"{number}none.png", size_px))
    return made
