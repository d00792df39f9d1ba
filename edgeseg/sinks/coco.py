"""Results as one COCO file.

The file is a whole COCO dataset, so `pycocotools.coco.COCO(file)` opens it.
To score it against a ground truth hand over its annotations, which carry
scores: `truth.loadRes(json.load(open(file))["annotations"])`. A picture whose
name is a number has it as image id, as in COCO's own sets.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SinkError
from edgeseg.sinks.aside import AsideFile
from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.spec import Spec
from edgeseg.types import Frame, Result

# COCO numbers its 80 classes up to 90; these numbers were never used.
_COCO_GAPS = frozenset((12, 26, 29, 30, 45, 66, 68, 69, 71, 83))


def category_ids(class_names: Sequence[str]) -> list[int]:
    """Give the category of each class: COCO's own numbers for its 80 classes, else from 1."""
    if len(class_names) == 80 and (class_names[0], class_names[79]) == ("person", "toothbrush"):
        return [number for number in range(1, 91) if number not in _COCO_GAPS]
    return list(range(1, len(class_names) + 1))


class CocoSink:
    """Streams annotations to the file and images to a second one, joined at the end."""

    needs_picture = False

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._path = spec.path
        self._file: AsideFile | None = None
        self._images: IO[str] | None = None
        self._categories: list[int] = []
        self._ids = ImageIds()
        self._annotations = 0

    def open(self, run: RunInfo) -> None:
        """Create NAME.part and write what is known. Raises SinkError."""
        self._categories = category_ids(run.class_names)
        categories = [
            {"id": category, "name": name}
            for category, name in zip(self._categories, run.class_names, strict=True)
        ]
        self._file = AsideFile(self._path, run)
        self._file.write(
            f'{{"info":{json.dumps({"description": f"edgeseg, {run.model}"})},\n'
            f'"categories":{json.dumps(categories)},\n"annotations":['
        )
        try:
            # Without a name: it goes with the process, however that ends.
            self._images = tempfile.TemporaryFile(  # noqa: SIM115 - lives as long as the sink
                "w+", dir=self._file.path.parent, encoding="ascii"
            )
        except OSError as error:
            raise self._file.failed(error) from error

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Write the objects of one frame. Raises SinkError."""
        if self._file is None or self._images is None:
            raise SinkError(f"{self.name} is not open")
        first, image_id = not self._ids.count, self._ids.take(result.frame)
        image = _image(result.frame, image_id)
        try:
            self._images.write(("\n" if first else ",\n") + json.dumps(image))
        except OSError as error:
            raise self._file.failed(error) from error
        lines = []
        for record in self._records(result, image_id):
            lines.append(("," if self._annotations else "") + "\n" + json.dumps(record))
            self._annotations += 1
        self._file.write("".join(lines))

    def close(self) -> str | None:
        """Join both files, and return the name; None, and no file, when no result came."""
        file, images = self._file, self._images
        self._file = self._images = None
        if file is None:
            return None
        try:
            with images or contextlib.nullcontext():
                if images is None or file.gone or not self._ids.count:
                    file.discard()
                    return None
                images.seek(0)
                file.write('\n],\n"images":[')
                shutil.copyfileobj(images, file)
        except OSError as error:
            raise file.failed(error) from error
        file.write("\n]}\n")
        return file.finish()

    def _records(self, result: Result, image_id: int) -> list[dict[str, object]]:
        """Give the annotations of one frame; boxes are left, top, width, height."""
        found = result.detections
        records: list[dict[str, object]] = []
        for (left, top, right, bottom), score, class_id in zip(
            found.boxes_px.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True
        ):
            width, height = right - left, bottom - top
            records.append(
                {
                    "id": self._annotations + len(records) + 1,
                    "image_id": image_id,
                    "category_id": self._category(class_id),
                    "bbox": [round(edge, 3) for edge in (left, top, width, height)],
                    "area": round(width * height, 3),
                    "iscrowd": 0,
                    "score": round(score, 6),
                }
            )
        return records

    def _category(self, class_id: int) -> int:
        """Give a class's category; classes without a name follow the named ones."""
        if 0 <= class_id < len(self._categories):
            return self._categories[class_id]
        return class_id + 1 + (10 if self._categories[79:80] == [90] else 0)


class ImageIds:
    """Numbers the images: by their name when it is a number, otherwise one by one."""

    def __init__(self) -> None:
        self.count = 0
        self._taken: set[int] = set()

    def take(self, frame: Frame) -> int:
        """Give the frame's number, which no other frame of the run has."""
        self.count += 1
        if frame.path is None:
            return self.count
        stem = Path(frame.path).stem
        wanted = int(stem) if stem.isascii() and stem.isdigit() and len(stem) < 16 else self.count
        while wanted in self._taken:
            wanted += 1
        self._taken.add(wanted)
        return wanted


def _image(frame: Frame, image_id: int) -> dict[str, object]:
    """Give the record of one image."""
    width, height = frame.size_px
    name = f"{frame.index:06d}" if frame.path is None else Path(frame.path).name
    record: dict[str, object] = {
        "id": image_id,
        "file_name": name,
        "width": width,
        "height": height,
    }
    if frame.path is None:
        record["time_s"] = round(frame.time_s, 6)
    return record
