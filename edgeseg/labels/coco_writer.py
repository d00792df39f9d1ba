"""Write COCO JSON: annotations as they come, images to a second file, joined at the end."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from edgeseg import _native
from edgeseg.labels.rings import joined, parts_of
from edgeseg.labels.types import Classes, LabelObject, LabelPicture, Mask
from edgeseg.sinks.aside import AsideFile
from edgeseg.sinks.base import RunInfo
from edgeseg.types import Size

# COCO numbers its 80 classes up to 90; these numbers were never used.
_COCO_GAPS = frozenset((12, 26, 29, 30, 45, 66, 68, 69, 71, 83))

Segmentation = Literal["rle", "polygon", "none"]


def category_ids(class_names: Sequence[str]) -> list[int]:
    """Give the category of each class: COCO's own numbers for its 80 classes, else from 1."""
    if len(class_names) == 80 and (class_names[0], class_names[79]) == ("person", "toothbrush"):
        return [number for number in range(1, 91) if number not in _COCO_GAPS]
    return list(range(1, len(class_names) + 1))


class CocoWriter:
    """Writes one COCO file; it appears when it is complete.

    `masks`: run lengths, exact; or polygons, one for each part, its holes
    joined to it by cuts of no width. Crowds are always run lengths, as in COCO.
    """

    def __init__(
        self,
        path: Path,
        run: RunInfo,
        classes: Classes,
        *,
        masks: Segmentation = "rle",
        tolerance_px: float = 0.0,
    ) -> None:
        """Create NAME.part. Raises SinkError."""
        self._categories = classes.categories or dict(enumerate(category_ids(classes.names())))
        self._masks: Segmentation = masks
        self._tolerance_px = tolerance_px
        self._ids = ImageIds()
        self._annotations = 0
        self._file = AsideFile(path, run)
        self._file.write(
            f'{{"info":{json.dumps({"description": f"edgeseg, {run.model}"})},\n"annotations":['
        )
        try:
            # Without a name: it goes with the process, however that ends.
            self._images: IO[str] = tempfile.TemporaryFile(  # noqa: SIM115 - lives as long as this
                "w+", dir=self._file.path.parent, encoding="ascii"
            )
        except OSError as error:
            raise self._file.failed(error) from error

    def add(self, picture: LabelPicture) -> None:
        """Write one picture. Raises SinkError."""
        first, image_id = not self._ids.count, self._ids.take(picture.name)
        width, height = picture.size_px
        image: dict[str, Any] = {"id": image_id, "file_name": picture.name}
        image |= {"width": width, "height": height}
        if picture.time_s is not None:
            image["time_s"] = round(picture.time_s, 6)
        try:
            self._images.write(("\n" if first else ",\n") + json.dumps(image))
        except OSError as error:
            raise self._file.failed(error) from error
        lines = []
        for found in picture.objects:
            record = self._record(found, image_id, picture.size_px)
            lines.append(("," if self._annotations else "") + "\n" + json.dumps(record))
            self._annotations += 1
        self._file.write("".join(lines))

    def finish(self, classes: Classes) -> str:
        """Join both files. Raises SinkError."""
        records = [
            {"id": self._category(class_id), "name": name}
            for class_id, name in enumerate(classes.names())
        ]
        try:
            with self._images as images:
                images.seek(0)
                self._file.write('\n],\n"images":[')
                shutil.copyfileobj(images, self._file)
        except OSError as error:
            raise self._file.failed(error) from error
        self._file.write(f'\n],\n"categories":{json.dumps(records)}}}\n')
        return self._file.finish()

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):
            self._images.close()
        self._file.discard()

    def _category(self, class_id: int) -> int:
        """Give a class's category; classes that came late follow the known ones."""
        known = self._categories.get(class_id)
        if known is None:
            known = max(self._categories.values(), default=0) + 1
            known += class_id - len(self._categories)
        return known

    @property
    def empty(self) -> bool:
        """True when no picture came, or the file could not be written on."""
        return self._file.gone or not self._ids.count

    def _record(self, found: LabelObject, image_id: int, size_px: Size) -> dict[str, Any]:
        """Give one annotation; its box is left, top, width, height."""
        left, top, right, bottom = found.box_px
        record: dict[str, Any] = {
            "id": self._annotations + 1,
            "image_id": image_id,
            "category_id": self._category(found.class_id),
            "bbox": [round(edge, 3) for edge in (left, top, right - left, bottom - top)],
            "area": round(found.area_px, 3),
            "iscrowd": int(found.crowd),
        }
        if found.mask is not None and self._masks != "none":
            as_counts = self._masks == "rle" or found.crowd
            record["segmentation"] = (
                frame_counts(found.mask, size_px)
                if as_counts
                else polygons(found.mask, self._tolerance_px)
            )
        if found.score is not None:
            record["score"] = round(found.score, 6)
        if found.track_id:
            record["track_id"] = found.track_id
        return record


def frame_counts(mask: Mask, size_px: Size) -> dict[str, Any]:
    """Give the run lengths of a mask in its whole picture."""
    counts = _native.rle_encode(mask.dense(size_px)).decode("ascii")
    return {"size": [size_px[1], size_px[0]], "counts": counts}


def polygons(mask: Mask, tolerance_px: float = 0.0) -> list[list[float]]:
    """Give a mask's parts as flat lists of x and y."""
    parts = parts_of(mask, tolerance_px)
    rings = [joined(part).astype(np.float64).round(3).ravel() for part in parts]
    return [ring.tolist() for ring in rings]


class ImageIds:
    """Numbers the images: by their name when it is a number, otherwise one by one."""

    def __init__(self) -> None:
        self.count = 0
        self._taken: set[int] = set()

    def take(self, name: str) -> int:
        """Give a picture's number, which no other picture has; frames of a clip count from 1."""
        self.count += 1
        stem, dot, _ = name.rpartition("/")[2].rpartition(".")
        wanted = int(stem) if stem.isascii() and stem.isdigit() and len(stem) < 16 else self.count
        if not dot:
            return self.count
        while wanted in self._taken:
            wanted += 1
        self._taken.add(wanted)
        return wanted
