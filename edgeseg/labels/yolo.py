"""YOLO labels: one text file for each picture, one line for each object.

Boxes: `class cx cy w h`. Segments: `class x1 y1 x2 y2 …`. All are fractions of
the picture's width and height; one number more at the end is a score.

A segment is one ring, filled by the even-odd rule. Holes and further parts are
joined to it by cuts of no width, walked there and back, from nearest corner to
nearest corner. An object without a mask becomes the four corners of its box:
trainers drop the segments of a set that mixes both kinds of lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.labels.names import find_names
from edgeseg.labels.pictures import PictureFiles, stems_in
from edgeseg.labels.problems import BadLabel, Problems
from edgeseg.labels.rings import joined, mask_of, parts_of
from edgeseg.labels.types import Classes, LabelObject, LabelPicture
from edgeseg.labels.values import class_number, clipped, score_of
from edgeseg.types import Size

MAX_FILE_BYTES = 64 << 20
_NO_LABELS = frozenset({"classes", "names", "train", "val", "test", "readme", "requirements"})
"""Text files that lie beside labels in the wild."""


class YoloReader:
    """Reads a data set's folder (labels/ and images/ in it), or a folder of labels alone.

    Pictures without a label file have no objects. Boxes and segments may be mixed.
    """

    def __init__(
        self,
        source: Path,
        problems: Problems,
        *,
        pictures: Path | None = None,
        names: Path | None = None,
        size_px: Size | None = None,
    ) -> None:
        """Look what is there. Raises LabelError."""
        self._folder = source / "labels" if (source / "labels").is_dir() else source
        self._problems = problems
        self._pictures = PictureFiles(pictures or _pictures_of(self._folder), size_px)
        self._files = {
            self._picture_stem(stem): file for stem, file in label_files(self._folder).items()
        }
        self.classes = Classes(find_names(self._folder, names))
        self._stems = sorted({*self._files, *self._pictures.stems()})
        self.count: int | None = len(self._stems)

    def pictures(self) -> Iterator[LabelPicture]:
        """Give every picture that has labels or lies in the folder of pictures."""
        for stem in self._stems:
            file = self._files.get(stem)
            path = self._folder / (file or f"{stem}.txt")
            name = self._pictures.name(stem)
            with self._problems.at(str(path), None):
                size_px = self._pictures.size(name)
                objects = self._objects(path, size_px) if file else ()
                yield LabelPicture(
                    name, size_px, objects, file=str(path), path=self._pictures.path(name)
                )

    def _picture_stem(self, stem: str) -> str:
        """Find the picture of a label file where both lie in folders of a split."""
        parts = stem.split("/")
        if "labels" in parts[:-1]:
            parts[parts.index("labels")] = "images"
            if self._pictures.path("/".join(parts)) is not None:
                return "/".join(parts)
        return stem

    def _objects(self, path: Path, size_px: Size) -> tuple[LabelObject, ...]:
        """Read one file; what is wrong with a line is a problem of its own."""
        objects = []
        for line, words in enumerate(_lines(path), 1):
            if not words:
                continue
            with self._problems.at(str(path), line):
                found, remarks = parsed_line(words, size_px)
                if self.classes.fixed and found.class_id >= len(self.classes):
                    raise BadLabel(
                        f"class {found.class_id} is beyond the {len(self.classes)} names"
                    )
                self.classes.learn(found.class_id)
                for remark in remarks:
                    self._problems.warning(str(path), line, remark)
                objects.append(_at_line(found, line))
        return tuple(objects)


def label_files(folder: Path) -> dict[str, str]:
    """Find the label files below a folder: path without ending to path. Raises LabelError."""
    files = stems_in(folder, (".txt",))
    return {
        stem: file
        for stem, file in files.items()
        if stem.rpartition("/")[2].lower() not in _NO_LABELS
    }


def parsed_line(words: list[str], size_px: Size) -> tuple[LabelObject, list[str]]:
    """Read one line, split at spaces; give the object and what is odd about it.

    Raises BadLabel.
    """
    if len(words) < 5:
        raise BadLabel(f"has {len(words)} numbers; a box has 5, a segment 7 or more")
    values = [_number(word) for word in words]
    class_id = class_number(values[0])
    if len(values) <= 6:
        score = score_of(values[5]) if len(values) == 6 else None
        box = _box(values[1:5], size_px)
        box_px, spilled = clipped(box, size_px)
        remarks = ["the box reaches beyond the picture; it is cut"] if spilled else []
        return LabelObject(class_id, box_px, score=score), remarks
    score = score_of(values.pop()) if len(values) % 2 == 0 else None
    if len(values) < 7:
        raise BadLabel(f"a segment has 3 points or more, this one {len(values) // 2}")
    ring = _fractions(values[1:]).reshape(-1, 2) * np.array(size_px)
    low, high = ring.min(axis=0).tolist(), ring.max(axis=0).tolist()
    box_px, spilled = clipped((*low, *high), size_px)
    remarks = ["the segment reaches beyond the picture; it is cut"] if spilled else []
    mask = mask_of([ring.astype(np.float32)], size_px)
    if mask is None:
        remarks.append("the segment covers no pixel's centre; its box is kept")
    return LabelObject(class_id, box_px, mask, score), remarks


def object_line(
    found: LabelObject, size_px: Size, *, segments: bool, scores: bool, tolerance_px: float = 0.0
) -> str:
    """Give the line of one object."""
    left, top, right, bottom = found.box_px
    width, height = size_px
    if not segments:
        centre = ((left + right) / 2 / width, (top + bottom) / 2 / height)
        values = [*centre, (right - left) / width, (bottom - top) / height]
    else:
        values = (_ring(found, tolerance_px) / np.array(size_px)).ravel().tolist()
    if scores:
        values.append(1.0 if found.score is None else found.score)
    # Six digits are a thousandth of a pixel of the largest pictures that cameras give.
    return " ".join([str(found.class_id), *(f"{value:.6f}" for value in values)]) + "\n"


def _ring(found: LabelObject, tolerance_px: float) -> NDArray[np.float64]:
    """Give the one ring of an object; float64[K, 2] in pixels."""
    if found.mask is not None:
        rings = [ring for part in parts_of(found.mask, tolerance_px) for ring in part]
        return joined(rings).astype(np.float64)
    left, top, right, bottom = found.box_px
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def is_segment(words: list[str]) -> bool:
    """Tell whether a line is a segment: it has more numbers than a box with a score."""
    return len(words) > 6


def _lines(path: Path) -> list[list[str]]:
    """Read a label file as words. Raises BadLabel."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadLabel(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    if len(data) > MAX_FILE_BYTES or b"\0" in data:
        raise BadLabel("is no file of labels")
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return [line.split() for line in text.split("\n")]


def _number(word: str) -> float:
    try:
        # float() takes 1_0, which nothing that writes labels means.
        value = float("" if "_" in word else word)
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e15:
        raise BadLabel(f"{word[:40]!r} is not a number")
    return value


def _fractions(values: list[float]) -> NDArray[np.float64]:
    """Check that values can be fractions of a picture."""
    found = np.array(values)
    if found.min() < -1 or found.max() > 2:
        far = found[(found < -1) | (found > 2)][0]
        raise BadLabel(f"{far:g} is no fraction of the picture; are these pixels?")
    return found


def _box(values: list[float], size_px: Size) -> tuple[float, float, float, float]:
    """Turn centre and size as fractions into pixels."""
    centre_x, centre_y, width, height = _fractions(values) * np.array([*size_px, *size_px])
    return (
        float(centre_x - width / 2),
        float(centre_y - height / 2),
        float(centre_x + width / 2),
        float(centre_y + height / 2),
    )


def _at_line(found: LabelObject, line: int) -> LabelObject:
    return LabelObject(found.class_id, found.box_px, found.mask, found.score, line=line)


def _pictures_of(labels: Path) -> Path | None:
    """Find the folder of pictures: `images` in the place of `labels`, or the labels' own."""
    parts = list(labels.absolute().parts)
    for at in range(len(parts) - 1, 0, -1):
        if parts[at] == "labels":
            beside = Path(*parts[:at], "images", *parts[at + 1 :])
            if beside.is_dir():
                return beside
    inside = labels / "images"
    return inside if inside.is_dir() else labels
