"""Training pictures: read a folder of id maps, or COCO JSON, into memory.

Id maps: `images/NAME.jpg`, `masks/NAME.png` (8-bit, same size: 0 background,
1..254 an instance, 255 unknown) and `instances.jsonl`, one instance a line with
at least `image` and `id`. COCO: `images/` and one `instances*.json`; where
instances overlap the smaller one is on top, crowds are unknown.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

UNKNOWN = 255
MIN_AREA_PX = 40
MIN_SIDE_PX = 8
DEV_PERCENT = 10
NOT_COMMERCIAL = (None, 1, 2, 3)
"""Licences of COCO's list that forbid commercial use, and none recorded."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, decoded, with who is where."""

    name: str
    levels: tuple[NDArray[np.uint8], ...]
    """uint8[H, W, 3] RGB, then halved again and again (area averages)."""
    ids: NDArray[np.uint8]
    """uint8[H, W]: 0 background, 1..254 instance, 255 unknown."""


@dataclass(frozen=True, slots=True)
class Example:
    """One object in a picture."""

    picture: Picture
    id: int
    hull_px: NDArray[np.float64]
    """float64[K, 2]: the convex hull of its visible pixels."""

    @property
    def box_px(self) -> NDArray[np.float64]:
        """Tight box of the visible pixels: left, top, right, bottom."""
        return np.concatenate([self.hull_px.min(0), self.hull_px.max(0)])

    @property
    def short_side_px(self) -> float:
        """The shorter side of the box."""
        box = self.box_px
        return float(min(box[2] - box[0], box[3] - box[1]))


def read_folder(folder: Path, *, commercial_only: bool = False) -> list[Example]:
    """Read all objects that are large enough to learn from.

    `commercial_only` leaves out pictures whose licence forbids commercial use or
    is not recorded. Raises FileNotFoundError when the folder has neither of the two
    layouts, ValueError when a picture and its mask do not fit.
    """
    if (folder / "instances.jsonl").exists():
        pictures = _read_id_maps(folder, commercial_only)
    else:
        pictures = _read_coco(folder, commercial_only)
    return [example for picture in pictures for example in _examples(picture)]


def is_dev(name: str) -> bool:
    """Say whether a picture is in the tuning split: a tenth, by the hash of its name."""
    return hashlib.sha256(name.encode()).digest()[0] < 256 * DEV_PERCENT // 100


def _read_id_maps(folder: Path, commercial_only: bool) -> Iterator[Picture]:
    licences: dict[str, object] = {}
    for line in (folder / "instances.jsonl").read_text().splitlines():
        record = json.loads(line)
        licences[record["image"]] = record.get("flickr_licence")
    for name, licence in licences.items():
        if commercial_only and licence in NOT_COMMERCIAL:
            continue
        ids = cv2.imread(str(folder / "masks" / f"{Path(name).stem}.png"), cv2.IMREAD_UNCHANGED)
        yield _picture(folder / "images" / name, ids)


def _read_coco(folder: Path, commercial_only: bool) -> Iterator[Picture]:
    files = sorted(folder.glob("**/instances*.json"))
    if not files:
        raise FileNotFoundError(f"{folder} has neither instances.jsonl nor instances*.json")
    for file in files:
        coco = json.loads(file.read_text())
        by_image: dict[int, list[Mapping[str, object]]] = defaultdict(list)
        for annotation in coco["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        for image in coco["images"]:
            if commercial_only and image.get("license") in NOT_COMMERCIAL:
                continue
            path = _image_path(folder, image["file_name"])
            if path is not None and by_image[image["id"]]:
                yield _picture(path, id_map(by_image[image["id"]], image["height"], image["width"]))


def _image_path(folder: Path, name: str) -> Path | None:
    places = (folder / "images" / name, folder / name, folder / "images" / Path(name).name)
    return next((path for path in places if path.exists()), None)


def id_map(
    annotations: Sequence[Mapping[str, object]], height_px: int, width_px: int
) -> NDArray[np.uint8]:
    """Draw COCO annotations: the largest first, crowds as unknown, 254 at most."""
    from pycocotools import mask as coco_masks

    ids = np.zeros((height_px, width_px), np.uint8)
    drawn = []
    for annotation in annotations:
        shape = annotation["segmentation"]
        rles = coco_masks.frPyObjects(shape, height_px, width_px)
        rle = coco_masks.merge(rles) if isinstance(rles, list) else rles
        drawn.append((bool(annotation.get("iscrowd")), coco_masks.decode(rle).astype(bool)))
    drawn.sort(key=lambda pair: (not pair[0], -int(pair[1].sum())))
    objects = (mask for crowd, mask in drawn if not crowd)
    for crowd, mask in drawn:
        if crowd:
            ids[mask] = UNKNOWN
    for number, mask in zip(range(1, UNKNOWN), objects):  # noqa: B905 - more than 254 are left out
        ids[mask] = number
    return ids


def _picture(path: Path, ids: NDArray[np.uint8] | None) -> Picture:
    bgr = cv2.imread(str(path))
    if bgr is None or ids is None or bgr.shape[:2] != ids.shape:
        raise ValueError(f"{path} does not open, or its mask has another size")
    levels = [np.ascontiguousarray(bgr[:, :, ::-1])]
    while min(levels[-1].shape[:2]) >= 64:
        height, width = levels[-1].shape[:2]
        half = ((width + 1) // 2, (height + 1) // 2)
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    return Picture(path.name, tuple(levels), ids)


def _examples(picture: Picture) -> Iterator[Example]:
    for number in np.unique(picture.ids):
        if number in (0, UNKNOWN):
            continue
        y, x = np.nonzero(picture.ids == number)
        if len(x) < MIN_AREA_PX or min(np.ptp(x), np.ptp(y)) + 1 < MIN_SIDE_PX:
            continue
        hull = cv2.convexHull(np.stack([x, y], 1).astype(np.int32))[:, 0]
        corners = hull[:, None] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
        yield Example(picture, int(number), corners.reshape(-1, 2).astype(np.float64))
