"""Read and write instance masks: masks/NAME.png and instances.jsonl."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from edgeseg.errors import LabelError
from edgeseg.labels.folders import LabelFiles
from edgeseg.labels.id_maps import ignored_value, masks_of, painted, png_of, read_map
from edgeseg.labels.jsonl import class_of, learn_names, lines_of, mask_record, object_mask
from edgeseg.labels.names import find_names
from edgeseg.labels.pictures import PictureFiles, stem_of, stems_in
from edgeseg.labels.problems import BadLabel, Problems, readable
from edgeseg.labels.types import Classes, LabelObject, LabelPicture, Mask
from edgeseg.labels.values import (
    clipped,
    numbers,
    parsed,
    picture_name,
    record,
    score_of,
    text,
    whole,
)
from edgeseg.sinks.aside import writing
from edgeseg.types import Size

INSTANCES = "instances.jsonl"
_MOST_OBJECTS = 65_534


class InstancesReader:
    """Reads a folder with masks/ and instances.jsonl; the lines may be in any order.

    The map tells an object's pixels, unless its line carries the whole mask.
    """

    def __init__(
        self,
        source: Path,
        problems: Problems,
        *,
        pictures: Path | None = None,
        names: tuple[str, ...] = (),
        advance: Callable[[int], None] | None = None,
    ) -> None:
        """Read the list of instances. Raises LabelError."""
        self._source = source
        self._lines_file = source / INSTANCES
        self._problems = problems
        beside = source / "images"
        self._pictures = PictureFiles(pictures or (beside if beside.is_dir() else None))
        self._names = names
        self.classes = Classes(names or find_names(source))
        self._masks = stems_in(source / "masks", (".png",))
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._called: dict[str, str] = {}
        self._read_list(advance)
        self.count: int | None = len(self._masks)

    def _read_list(self, advance: Callable[[int], None] | None) -> None:
        """Note where each picture's lines are, and learn the classes."""
        for line, offset, data in lines_of(self._lines_file, advance):
            with self._problems.at(str(self._lines_file), line):
                item = record(parsed(data), "the line")
                name = picture_name(item.get("image"), "image")
                if stem_of(name) not in self._masks:
                    raise BadLabel(f"there is no masks/{stem_of(name)}.png")
                self._called[stem_of(name)] = name
                self._places.setdefault(stem_of(name), []).append((offset, line))
                if not self._names:
                    learn_names(self.classes, [item], "cls")
        if not self._names:
            self._number_the_rest()

    def _number_the_rest(self) -> None:
        """Give classes that are known by name alone the numbers behind the others."""
        for _, _, data in lines_of(self._lines_file):
            with contextlib.suppress(BadLabel):
                item = record(parsed(data), "the line")
                name = text(item.get("cls"), "cls")
                if item.get("class_id") in (None, -1) and self.classes.find(name) is None:
                    self.classes.learn(len(self.classes), name)

    def pictures(self) -> Iterator[LabelPicture]:
        """Give every picture that has a mask, by name."""
        with readable(self._lines_file), self._lines_file.open("rb") as lines:
            for stem, file in self._masks.items():
                with self._problems.at(str(self._source / "masks" / file), None):
                    yield self._picture(lines, stem, self._source / "masks" / file)

    def _picture(self, lines: IO[bytes], stem: str, path: Path) -> LabelPicture:
        values = read_map(path)
        size_px = (values.shape[1], values.shape[0])
        found = self._pictures.path(stem)
        if found is not None and self._problems.thorough:
            real = self._pictures.size(stem)
            if real != size_px:
                raise BadLabel(f"is {size_px[0]}x{size_px[1]}, its picture is {real[0]}x{real[1]}")
        masks = masks_of(values)
        ignored = ignored_value(values)
        objects, used = [], {ignored}
        for offset, line in self._places.get(stem, []):
            lines.seek(offset)
            with self._problems.at(str(self._lines_file), line):
                item = record(parsed(lines.readline()), "the line")
                objects.append(self._object(item, masks, used, size_px, line))
        if extra := sorted(set(masks) - used):
            values_ = ", ".join(map(str, extra[:8])) + (", …" if len(extra) > 8 else "")
            message = f"masks/{stem}.png has values without a line: {values_}"
            self._problems.warning(str(self._lines_file), None, message)
        name = self._called.get(stem) or self._pictures.name(stem)
        return LabelPicture(name, size_px, tuple(objects), file=str(self._lines_file), path=found)

    def _object(
        self,
        item: dict[str, Any],
        masks: dict[int, Mask],
        used: set[int],
        size_px: Size,
        line: int,
    ) -> LabelObject:
        crowd = item.get("crowd") is True
        number = whole(item.get("id"), "id", 1, _MOST_OBJECTS + 1)
        if number in used and not crowd:
            raise BadLabel(f"id {number} is used twice in its picture, or means what is ignored")
        used.add(number)
        file = str(self._lines_file)
        mask = object_mask(item.get("mask"), size_px) or (None if crowd else masks.get(number))
        if mask is None and item.get("visible") != 0:
            self._problems.warning(file, line, f"no pixel of the mask is {number}; its box is kept")
        if item.get("bbox") is None and mask is not None:
            box_px, spilled = mask.bounds, False
        else:
            left, top, width, height = numbers(item.get("bbox"), "bbox", 4)
            box_px, spilled = clipped((left, top, left + width, top + height), size_px)
        if spilled:
            self._problems.warning(file, line, "the box reaches beyond the picture; it is cut")
        return LabelObject(
            class_of(item, "cls", self.classes, self._names),
            box_px,
            mask,
            score_of(item.get("score")),
            whole(item.get("track_id") or 0, "track_id"),
            crowd=crowd,
            line=line,
        )


class InstancesWriter:
    """Writes masks/NAME.png and lines for instances.jsonl, which `lines` takes."""

    def __init__(
        self,
        folder: Path,
        lines: Callable[[str], None],
        classes: Classes,
        *,
        distinct: bool = False,
    ) -> None:
        """Take a folder; `distinct` as in LabelFiles."""
        self._files = LabelFiles(folder / "masks", ".png", distinct=distinct)
        self._lines = lines
        self._classes = classes

    def add(self, picture: LabelPicture) -> None:
        """Write one picture. Raises SinkError, and LabelError for more than 65,534 objects."""
        count = len(picture.objects)
        if count > _MOST_OBJECTS:
            raise LabelError(
                f"{picture.name} has {count} objects, a mask holds {_MOST_OBJECTS}",
                file=picture.file,
            )
        paint = painted(picture.objects, picture.size_px, lambda place: place + 1, highest=count)
        self._files.write(picture, png_of(paint.values))
        self._lines(
            "".join(
                json.dumps(self._record(picture.name, place, found, visible)) + "\n"
                for place, (found, visible) in enumerate(
                    zip(picture.objects, paint.visible_px, strict=True), 1
                )
            )
        )

    def _record(self, name: str, place: int, found: LabelObject, visible: int) -> dict[str, Any]:
        left, top, right, bottom = found.box_px
        area = found.area_px
        item: dict[str, Any] = {
            "image": name,
            "id": place,
            "class_id": found.class_id,
            "cls": self._classes.name(found.class_id),
            "bbox": [round(edge, 3) for edge in (left, top, right - left, bottom - top)],
            "area": round(area, 3),
            "fill": round(area / ((right - left) * (bottom - top)), 4),
            "visible": visible,
        }
        if found.score is not None:
            item["score"] = round(found.score, 6)
        if found.track_id:
            item["track_id"] = found.track_id
        if found.crowd:
            item["crowd"] = True
        if found.mask is not None and visible != found.mask.area_px:
            item["mask"] = mask_record(found.mask)
        return item


class NewInstances:
    """Instance masks in a folder that appears when it is complete."""

    def __init__(self, folder: Path, classes: Classes) -> None:
        with writing(folder / INSTANCES):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / INSTANCES).open("w", encoding="ascii")
        self._path = folder / INSTANCES
        self._writer = InstancesWriter(folder, self._write, classes)

    def add(self, picture: LabelPicture) -> None:
        """Write one picture. Raises SinkError and LabelError."""
        self._writer.add(picture)

    def close(self) -> None:
        """End the list. Raises SinkError."""
        with writing(self._path):
            self._file.close()

    def _write(self, lines: str) -> None:
        with writing(self._path):
            self._file.write(lines)
