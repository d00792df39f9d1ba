"""Read and write class masks: NAME.png, the class's number plus 1 in each pixel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgeseg.errors import LabelError
from edgeseg.labels.folders import LabelFiles
from edgeseg.labels.id_maps import ignored_value, masks_of, painted, png_of, read_map
from edgeseg.labels.names import find_names
from edgeseg.labels.pictures import PictureFiles, stems_in
from edgeseg.labels.problems import BadLabel, Problems
from edgeseg.labels.types import MAX_CLASSES, Classes, LabelObject, LabelPicture


class ClassMapsReader:
    """Reads PNGs of a folder, or of masks/ in it: each class of a picture is one object."""

    def __init__(
        self,
        source: Path,
        problems: Problems,
        *,
        pictures: Path | None = None,
        names: Path | None = None,
    ) -> None:
        """Look what is there. Raises LabelError."""
        self._folder = source / "masks" if (source / "masks").is_dir() else source
        self._problems = problems
        beside = self._folder.parent / "images"
        self._pictures = PictureFiles(pictures or (beside if beside.is_dir() else None))
        self._masks = stems_in(self._folder, (".png",))
        self.classes = Classes(find_names(self._folder, names))
        self.count: int | None = len(self._masks)

    def pictures(self) -> Iterator[LabelPicture]:
        """Give every picture that has a mask, by name."""
        for stem, file in self._masks.items():
            path = self._folder / file
            with self._problems.at(str(path), None):
                values = read_map(path)
                size_px = (values.shape[1], values.shape[0])
                ignored = ignored_value(values)
                objects = []
                for value, mask in masks_of(values).items():
                    if value == ignored:
                        continue
                    if self.classes.fixed and value > len(self.classes):
                        message = f"value {value} is beyond the {len(self.classes)} names"
                        self._problems.error(str(path), None, message)
                        continue
                    self.classes.learn(value - 1)
                    objects.append(LabelObject(value - 1, mask.bounds, mask))
                found = self._pictures.path(stem)
                if found is not None and self._problems.thorough:
                    real = self._pictures.size(stem)
                    if real != size_px:
                        raise BadLabel(
                            f"is {size_px[0]}x{size_px[1]}, its picture is {real[0]}x{real[1]}"
                        )
                yield LabelPicture(
                    self._pictures.name(stem), size_px, tuple(objects), file=str(path), path=found
                )


class ClassMapsWriter:
    """Writes one PNG for each picture; small objects lie above large ones, crowds are ignored."""

    def __init__(self, folder: Path, classes: Classes) -> None:
        self._files = LabelFiles(folder, ".png")
        self._classes = classes

    def add(self, picture: LabelPicture) -> None:
        """Write one picture. Raises SinkError and LabelError."""
        ids = [found.class_id for found in picture.objects]
        highest = max([len(self._classes), *(class_id + 1 for class_id in ids)])
        if highest > MAX_CLASSES:
            raise LabelError(
                f"class {highest - 1} does not fit a mask of 16 bits", file=picture.file
            )
        paint = painted(
            picture.objects, picture.size_px, lambda place: ids[place] + 1, highest=highest
        )
        self._files.write(picture, png_of(paint.values))
