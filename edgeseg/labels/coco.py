"""Read COCO JSON: boxes, polygons, run lengths; annotations in any order.

The file is read once from front to back, and each annotation once more when
its picture's turn comes. In memory are the pictures' names and sizes and 28
bytes for each annotation, never the annotations themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from edgeseg.errors import LabelError
from edgeseg.labels.json_stream import Element, JsonStream
from edgeseg.labels.names import matched
from edgeseg.labels.pictures import PictureFiles
from edgeseg.labels.problems import BadLabel, Problems, readable
from edgeseg.labels.rings import mask_of, union_of
from edgeseg.labels.types import Classes, LabelObject, LabelPicture, Mask
from edgeseg.labels.values import (
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
from edgeseg.types import Size

_LARGEST_ID = 2**62


@dataclass(frozen=True, slots=True)
class _Image:
    name: str
    size_px: Size | None
    time_s: float | None
    line: int


class CocoReader:
    """Reads a COCO file of instances; `names` puts the classes into an order of its own."""

    def __init__(
        self,
        source: Path,
        problems: Problems,
        *,
        pictures: Path | None = None,
        names: tuple[str, ...] = (),
        size_px: Size | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> None:
        """Read the file once. Raises LabelError."""
        self._path = source
        self._file = str(source)
        self._problems = problems
        self._pictures = PictureFiles(pictures or _pictures_of(source), size_px)
        self._images: dict[int, _Image] = {}
        self._numbers: dict[int | str, int] = {}
        self._categories: dict[int, str] = {}
        # For each annotation: its picture, where it begins, how long it is, its line and id.
        self._image_of, self._offsets = array("I"), array("q")
        self._lengths, self._lines, self._ids = array("I"), array("I"), array("q")
        with readable(source), source.open("rb") as file:
            self._scan(JsonStream(file, self._file, advance))
        self.classes, self._class_ids = self._class_order(names)
        self.count: int | None = len(self._images)
        self._look_over()

    def pictures(self) -> Iterator[LabelPicture]:
        """Give the pictures in the file's order."""
        owners = np.frombuffer(self._image_of, np.uint32)
        order = np.argsort(owners, kind="stable")
        starts = np.searchsorted(owners[order], np.arange(len(self._numbers) + 1))
        with readable(self._path), self._path.open("rb") as file:
            for number_, image in self._images.items():
                rows = order[starts[number_] : starts[number_ + 1]].tolist()
                with self._problems.at(self._file, image.line):
                    size_px = self._size(image)
                    objects = [self._object(file, row, size_px) for row in rows]
                    yield LabelPicture(
                        image.name,
                        size_px,
                        tuple(found for found in objects if found is not None),
                        image.time_s,
                        file=self._file,
                        path=self._pictures.path(image.name),
                    )

    def _scan(self, stream: JsonStream) -> None:
        """Go through the whole file once."""
        seen = set()
        for element in stream.elements():
            if not element.listed:
                continue
            seen.add(element.key)
            with self._problems.at(self._file, element.line):
                if element.key == "images":
                    self._take_image(element)
                elif element.key == "annotations":
                    self._take_annotation(element)
                elif element.key == "categories":
                    self._take_category(element)
        if "images" not in seen:
            raise LabelError(
                "lists no images", file=self._file, hint="A COCO file has images and annotations."
            )

    def _take_image(self, element: Element) -> None:
        item = record(parsed(element.data()), "an image")
        number_ = self._place(item.get("id"))
        if number_ in self._images:
            raise BadLabel(f"image {shown(item['id'])} is there twice")
        name = picture_name(item.get("file_name"))
        size_px = None
        if item.get("width") is not None or item.get("height") is not None:
            size_px = picture_size(item.get("width"), item.get("height"))
        time_s = None if item.get("time_s") is None else number(item["time_s"], "time_s")
        self._images[number_] = _Image(name, size_px, time_s, element.line)

    def _take_annotation(self, element: Element) -> None:
        item = record(element.value, "an annotation")
        number_ = self._place(item.get("image_id"))
        own = item.get("id")
        self._image_of.append(number_)
        self._offsets.append(element.offset)
        self._lengths.append(element.length)
        self._lines.append(min(element.line, 2**32 - 1))
        usable = isinstance(own, int) and abs(own) < _LARGEST_ID
        self._ids.append(int(own) if own is not None and usable else -_LARGEST_ID)

    def _take_category(self, element: Element) -> None:
        item = record(parsed(element.data()), "a category")
        own = whole(item.get("id"), "the category's id")
        if own in self._categories:
            raise BadLabel(f"category {own} is there twice")
        self._categories[own] = text(item.get("name"), "the category's name")

    def _place(self, key: object) -> int:
        """Give a picture's place by its id, which may be a number or a text."""
        if not isinstance(key, (int, str)) or isinstance(key, bool):
            raise BadLabel(f"the image's id is {shown(key)}, neither a number nor a text")
        return self._numbers.setdefault(key, len(self._numbers))

    def _class_order(self, names: tuple[str, ...]) -> tuple[Classes, dict[int, int]]:
        """Give the classes, and the class of each category: by its number, or as `names` says."""
        ordered = sorted(self._categories)
        if not names:
            classes = Classes(
                (self._categories[own] for own in ordered), categories=dict(enumerate(ordered))
            )
            return classes, {own: at for at, own in enumerate(ordered)}
        found = {own: matched(self._categories[own], names) for own in ordered}
        return Classes(names), {own: at for own, at in found.items() if at is not None}

    def _look_over(self) -> None:
        """Tell of annotations of no picture, and of numbers given twice."""
        rows = np.frombuffer(self._image_of, np.uint32)
        known = np.zeros(len(self._numbers), np.bool_)
        known[list(self._images)] = True
        for row in np.flatnonzero(~known[rows]).tolist() if len(rows) else ():
            line = self._lines[row]
            self._problems.error(self._file, line, f"{self._called(row)} is of no picture listed")
        ids = np.frombuffer(self._ids, np.int64)
        order = np.argsort(ids, kind="stable")
        again = np.flatnonzero(np.diff(ids[order]) == 0) + 1
        for row in order[again].tolist():
            if self._ids[row] != -_LARGEST_ID:
                line = self._lines[row]
                self._problems.warning(self._file, line, f"{self._called(row)} is there twice")

    def _called(self, row: int) -> str:
        own = self._ids[row]
        return f"annotation {own}" if own != -_LARGEST_ID else "an annotation without id"

    def _size(self, image: _Image) -> Size:
        """Give a picture's size; one that its file contradicts is a problem."""
        path = self._pictures.path(image.name)
        if image.size_px is None:
            return self._pictures.size(image.name)
        if path is not None and self._problems.thorough:
            real = self._pictures.size(image.name)
            if real != image.size_px:
                raise BadLabel(
                    f"{image.name} is {real[0]}x{real[1]}, not {image.size_px[0]}x"
                    f"{image.size_px[1]} as it says here"
                )
        return image.size_px

    def _object(self, file: BinaryIO, row: int, size_px: Size) -> LabelObject | None:
        """Read one annotation; None when it cannot be used, which is a problem noted."""
        line = self._lines[row]
        file.seek(self._offsets[row])
        data = file.read(self._lengths[row])
        try:
            found, remarks = self._parsed(record(parsed(data), "an annotation"), size_px, line)
        except BadLabel as bad:
            self._problems.error(self._file, line, f"{self._called(row)}: {bad}")
            return None
        for remark in remarks:
            self._problems.warning(self._file, line, f"{self._called(row)}: {remark}")
        return found

    def _parsed(
        self, item: dict[str, Any], size_px: Size, line: int
    ) -> tuple[LabelObject, list[str]]:
        category = whole(item.get("category_id"), "category_id")
        class_id = self._class_ids.get(category)
        if class_id is None:
            name = self._categories.get(category)
            raise BadLabel(
                f"category {category} is not listed"
                if name is None
                else f"category {shown(name)} is none of the names given"
            )
        mask, remarks = segmentation(item.get("segmentation"), size_px), []
        if mask is None and item.get("segmentation"):
            remarks.append("the segmentation covers no pixel; the box is kept")
        box_px = None if mask is None else mask.bounds
        if item.get("bbox"):
            left, top, width, height = numbers(item["bbox"], "bbox", 4)
            box_px, spilled = clipped((left, top, left + width, top + height), size_px)
            remarks += ["the box reaches beyond the picture; it is cut"] if spilled else []
        if box_px is None:
            raise BadLabel("has neither bbox nor segmentation")
        return LabelObject(
            class_id,
            box_px,
            mask,
            score_of(item.get("score")),
            0 if item.get("track_id") is None else whole(item["track_id"], "track_id"),
            crowd=whole(item.get("iscrowd") or 0, "iscrowd", 0, 1) == 1,
            line=line,
        ), remarks


def segmentation(value: object, size_px: Size) -> Mask | None:
    """Read polygons or run lengths; None when there are none, or no pixel. Raises BadLabel."""
    if value is None or value in ([], {}):
        return None
    if isinstance(value, dict):
        size = numbers(value.get("size"), "the segmentation's size", 2)
        if size != [size_px[1], size_px[0]]:
            raise BadLabel(
                f"the run lengths are of {size[1]:g}x{size[0]:g}, the picture is "
                f"{size_px[0]}x{size_px[1]}"
            )
        return mask_of_counts(value.get("counts"), size_px)
    if not isinstance(value, list):
        raise BadLabel(f"segmentation is {shown(value)}, neither polygons nor run lengths")
    # Some tools write the one polygon of an object without the list around it.
    polygons = value if isinstance(value[0], list) else [value]
    masks = []
    for polygon in polygons:
        corners = numbers(polygon, "a polygon")
        if len(corners) < 6 or len(corners) % 2:
            raise BadLabel(f"a polygon has {len(corners)} numbers, not 6 or more, x and y")
        if max(map(abs, corners)) > 1e6:
            raise BadLabel("a polygon lies off the picture")
        ring = np.array(corners, np.float32).reshape(-1, 2)
        masks.append(mask_of([ring], size_px))
    return union_of(masks)


def _pictures_of(source: Path) -> Path | None:
    """Find the folder of pictures beside a COCO file, or beside its folder."""
    for folder in (source.parent, source.parent.parent):
        if (folder / "images").is_dir():
            return folder / "images"
    return None
