"""edgeseg's own results, one JSON object a picture or frame, read and written as labels."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from edgeseg.errors import LabelError
from edgeseg.labels.names import matched
from edgeseg.labels.pictures import PictureFiles
from edgeseg.labels.problems import BadLabel, Problems, readable
from edgeseg.labels.types import Classes, LabelObject, LabelPicture, Mask
from edgeseg.labels.values import (
    class_number,
    clipped,
    mask_of_counts,
    number,
    numbers,
    parsed,
    picture_name,
    picture_size,
    record,
    score_of,
    shown,
    text,
    whole,
)
from edgeseg.sinks.aside import AsideFile
from edgeseg.sinks.base import RunInfo
from edgeseg.types import Size

MAX_LINE_BYTES = 64 << 20


class JsonlReader:
    """Reads what `--sink out.jsonl` writes; twice, first for the names of the classes."""

    def __init__(
        self,
        source: Path,
        problems: Problems,
        *,
        pictures: Path | None = None,
        names: tuple[str, ...] = (),
        advance: Callable[[int], None] | None = None,
    ) -> None:
        """Learn the classes. Raises LabelError."""
        self._path = source
        self._file = str(source)
        self._problems = problems
        self._pictures = PictureFiles(pictures)
        self._names = names
        self.classes = Classes(names)
        self.count: int | None = 0
        for _, _, data in lines_of(source, advance):
            self.count += 1
            if not names:
                self._learn(data)

    def _learn(self, data: bytes) -> None:
        """Learn the classes of a line; what is wrong with it is told when it is read again."""
        with contextlib.suppress(BadLabel):
            listed = record(parsed(data), "the line").get("objects")
            learn_names(self.classes, listed if isinstance(listed, list) else [], "class")

    def pictures(self) -> Iterator[LabelPicture]:
        """Give one picture for each line."""
        for line, _, data in lines_of(self._path):
            with self._problems.at(self._file, line):
                yield self._picture(record(parsed(data), "the line"), line)

    def _picture(self, item: dict[str, Any], line: int) -> LabelPicture:
        size_px = picture_size(item.get("width"), item.get("height"))
        frame = whole(item.get("frame", 0), "frame")
        listed = item.get("objects")
        if not isinstance(listed, list):
            raise BadLabel(f"objects is {shown(listed)}, not a list")
        path = item.get("path")
        name = f"{frame:06d}" if path is None else picture_name(path, "path")
        objects = []
        for place, value in enumerate(listed, 1):
            try:
                objects.append(self._object(record(value, "it"), size_px, line, place))
            except BadLabel as bad:
                self._problems.error(self._file, line, f"object {place}: {bad}")
        return LabelPicture(
            name,
            size_px,
            tuple(objects),
            None if item.get("time_s") is None else number(item["time_s"], "time_s"),
            file=self._file,
            path=self._find(path, name),
        )

    def _find(self, path: object, name: str) -> Path | None:
        found = self._pictures.path(name)
        if found is None and isinstance(path, str):
            found = Path(path) if Path(path).is_file() else None
        return found

    def _object(self, item: dict[str, Any], size_px: Size, line: int, place: int) -> LabelObject:
        mask = object_mask(item.get("mask"), size_px)
        box = item.get("box")
        if box is None and mask is not None:
            box_px, spilled = mask.bounds, False
        else:
            box_px, spilled = clipped(numbers(box, "box", 4), size_px)
        if spilled:
            message = f"object {place}: the box reaches beyond the picture; it is cut"
            self._problems.warning(self._file, line, message)
        return LabelObject(
            class_of(item, "class", self.classes, self._names),
            box_px,
            mask,
            score_of(item.get("score")),
            whole(item.get("track_id") or 0, "track_id"),
            crowd=item.get("crowd") is True,
            line=line,
        )


class JsonlWriter:
    """Writes one line for each picture to a file that appears when it is complete."""

    def __init__(self, path: Path, run: RunInfo, classes: Classes) -> None:
        """Create NAME.part. Raises SinkError."""
        self._classes = classes
        self._count = 0
        self._file = AsideFile(path, run)

    def add(self, picture: LabelPicture) -> None:
        """Write one line. Raises SinkError."""
        width, height = picture.size_px
        numbered = picture.name.isascii() and picture.name.isdigit() and len(picture.name) < 16
        line: dict[str, Any] = {"frame": int(picture.name) if numbered else self._count}
        line["time_s"] = round(picture.time_s or 0.0, 6)
        line |= {"width": width, "height": height}
        line["objects"] = [self._object(found) for found in picture.objects]
        if not numbered:
            line["path"] = picture.name
        self._count += 1
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def finish(self, classes: Classes) -> str:  # noqa: ARG002
        """Give the file its name. Raises SinkError."""
        return self._file.finish()

    def discard(self) -> None:
        """Remove what was written."""
        self._file.discard()

    def _object(self, found: LabelObject) -> dict[str, Any]:
        item: dict[str, Any] = {
            "class_id": found.class_id,
            "class": self._classes.name(found.class_id),
        }
        if found.score is not None:
            item["score"] = round(found.score, 6)
        item["box"] = [round(edge, 3) for edge in found.box_px]
        if found.track_id:
            item["track_id"] = found.track_id
        if found.crowd:
            item["crowd"] = True
        if found.mask is not None:
            item["mask"] = mask_record(found.mask)
        return item


def mask_record(mask: Mask) -> dict[str, Any]:
    """Give a mask as edgeseg's JSON has it: run lengths of its box."""
    rows, columns = mask.shape
    return {
        "box": list(mask.box_px),
        "size": [rows, columns],
        "rle": mask.counts.decode("ascii"),
    }


def class_of(item: dict[str, Any], key: str, classes: Classes, names: tuple[str, ...]) -> int:
    """Give an object's class: by its name where names were given, else by its number.

    A class without a number (-1) is known by its name alone. Raises BadLabel.
    """
    name = item.get(key)
    class_id = item.get("class_id")
    if names and isinstance(name, str):
        found = matched(name, names)
        if found is None:
            raise BadLabel(f"class {shown(name)} is none of the names given")
        return found
    if class_id in (None, -1):
        found = classes.find(text(name, key))
        if found is None:
            raise BadLabel(f"class {shown(name)} has no number")
        return found
    number_ = class_number(class_id, "class_id")
    if names and number_ >= len(names):
        raise BadLabel(f"class {number_} is beyond the {len(names)} names")
    if not classes.learn(number_, name if isinstance(name, str) else None):
        known = classes.name(number_)
        raise BadLabel(f"class {number_} is {shown(name)} here and {shown(known)} elsewhere")
    return number_


def learn_names(classes: Classes, items: Iterable[object], key: str) -> None:
    """Learn the classes of objects that are right so far."""
    for item in items:
        if isinstance(item, dict) and item.get("class_id") not in (None, -1):
            with contextlib.suppress(BadLabel):
                classes.learn(class_number(item["class_id"]), text(item.get(key), key))


def lines_of(
    path: Path, advance: Callable[[int], None] | None = None
) -> Iterator[tuple[int, int, bytes]]:
    """Give number, offset and bytes of each line that is not blank. Raises LabelError."""
    with readable(path), path.open("rb") as file:
        line = offset = 0
        while data := file.readline(MAX_LINE_BYTES + 1):
            line += 1
            if len(data) > MAX_LINE_BYTES:
                raise LabelError(
                    f"is longer than {MAX_LINE_BYTES >> 20} MiB", file=str(path), line=line
                )
            if advance is not None:
                advance(len(data))
            if data.strip():
                yield line, offset, data
            offset += len(data)


def object_mask(value: object, size_px: Size) -> Mask | None:
    """Read run lengths of a box; None when there are none, or no pixel. Raises BadLabel."""
    if value is None:
        return None
    item = record(value, "mask")
    edges = numbers(item.get("box"), "the mask's box", 4)
    left, top, right, bottom = (whole(edge, "the mask's box", 0, 2**31) for edge in edges)
    if right > size_px[0] or bottom > size_px[1] or left >= right or top >= bottom:
        raise BadLabel(f"the mask's box {edges} does not lie in the picture")
    if numbers(item.get("size"), "the mask's size", 2) != [bottom - top, right - left]:
        raise BadLabel("the mask's size is not that of its box")
    return mask_of_counts(item.get("rle"), (right - left, bottom - top), left, top)
