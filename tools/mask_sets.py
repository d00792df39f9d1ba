"""What eval_masks.py measures on: pictures and clips with id maps, and boxes for their objects."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

JITTER = 0.08
Box = NDArray[np.float64]
"""float64[4]: left, top, right, bottom in pixels."""
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A picture with its objects."""

    name: str
    image: Image
    """uint8[H, W, 3] BGR."""
    ids: NDArray[np.uint8]
    """uint8[H, W]: who is where."""
    objects: tuple[tuple[int, int, Box], ...]
    """Id, class (-1 unknown), box in pixels, of each object."""


def read_id_maps(folder: Path) -> list[Picture]:
    """Read a folder of pictures, id maps and instances.jsonl."""
    by_image = defaultdict(list)
    for line in (folder / "instances.jsonl").read_text().splitlines():
        record = json.loads(line)
        x, y, width, height = record["bbox"]
        box = np.array([x, y, x + width, y + height], float)
        by_image[record["image"]].append((record["id"], record.get("class_id", -1), box))
    return [
        Picture(
            name,
            cv2.imread(str(folder / "images" / name)),
            cv2.imread(str(folder / "masks" / f"{Path(name).stem}.png"), cv2.IMREAD_UNCHANGED),
            tuple(objects),
        )
        for name, objects in by_image.items()
    ]


def read_clips(folder: Path, every: int = 8) -> Iterator[Picture]:
    """Give every n-th frame of clips that have a mask for each frame, under the clip's name."""
    for clip in sorted(folder.glob("*.mp4")):
        video = cv2.VideoCapture(str(clip))
        for number, mask_path in enumerate(sorted((folder / clip.stem).glob("*.png"))):
            there, image = video.read()
            if not there:
                raise ValueError(f"{clip} ends before its masks")
            if number % every:
                continue
            ids = (cv2.imread(str(mask_path), cv2.IMREAD_UNCHANGED) > 0).astype(np.uint8)
            y, x = np.nonzero(ids)
            if len(x):
                box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], float)
                yield Picture(clip.stem, image, ids, ((1, -1, box),))


def jittered(box: Box, rng: np.random.Generator) -> Box:
    """Move each side by up to 8 % of the box's width or height."""
    sides = np.tile(box[2:] - box[:2], 2)
    return box + rng.uniform(-JITTER, JITTER, 4) * sides


def detected(pictures: Sequence[Picture], model: str) -> list[list[tuple[int, Box]]]:
    """Give, for each picture, the objects that a detector finds, with its boxes."""
    from edgeseg import Segmenter

    found = []
    with Segmenter(model, conf=0.1, size="416", labels="best") as segmenter:
        for picture in pictures:
            seen = segmenter.predict(picture.image).detections
            pairs = zip(seen.boxes_px.astype(float), seen.class_ids.tolist(), strict=True)
            found.append(matched(picture, list(pairs)))
    return found


def matched(picture: Picture, found: Sequence[tuple[Box, int]]) -> list[tuple[int, Box]]:
    """Give each object at most one box of its class: the best scores choose first."""
    left = dict.fromkeys(range(len(picture.objects)))
    pairs = []
    for box, class_id in found:
        same = [k for k in left if picture.objects[k][1] == class_id]
        overlaps = [box_iou(box, picture.objects[k][2]) for k in same]
        if overlaps and max(overlaps) >= 0.5:
            chosen = same[int(np.argmax(overlaps))]
            del left[chosen]
            pairs.append((picture.objects[chosen][0], box))
    return pairs


def box_iou(a: Box, b: Box) -> float:
    """Give the IoU of two boxes."""
    size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    common = float(np.prod(size))
    return common / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)


def iou_of(picture: Picture, number: int, region: tuple[int, int, int, int], mask: Image) -> float:
    """Give the IoU of a mask in its region with an object, over the whole picture."""
    left, top, right, bottom = region
    truth = picture.ids == number
    common = np.count_nonzero(mask & truth[top:bottom, left:right])
    return common / (np.count_nonzero(mask) + np.count_nonzero(truth) - common)


def filled(picture: Picture, number: int, box: Box) -> float:
    """Give the IoU of the box itself."""
    edges = np.rint(box).astype(int)
    left, top = np.clip(edges[:2], 0, None)
    mask = np.ones(picture.ids[top : edges[3], left : edges[2]].shape, bool)
    return iou_of(picture, number, (left, top, left + mask.shape[1], top + mask.shape[0]), mask)


def grabcut(picture: Picture, number: int, box: Box) -> float:
    """Give the IoU of cv2.grabCut started with the box, five iterations.

    Where it finds next to nothing, as for half of the boxes, it is given the whole box.
    """
    left, top, right, bottom = np.rint(box).astype(int)
    mask = np.zeros(picture.ids.shape, np.uint8)
    cv2.setRNGSeed(1)
    try:
        rect = (left, top, max(right - left, 1), max(bottom - top, 1))
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(picture.image, mask, rect, *models, 5, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # the box fills the picture: no background to learn from
        mask[:] = cv2.GC_BGD
    found = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    if np.count_nonzero(found) < 0.05 * (right - left) * (bottom - top):
        found[max(top, 0) : bottom, max(left, 0) : right] = True
    return iou_of(picture, number, (0, 0, mask.shape[1], mask.shape[0]), found)
