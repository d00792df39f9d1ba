"""Folders of labels as trainers take them, made new."""

from __future__ import annotations

import contextlib
from pathlib import Path

from edgeseg.errors import SinkError
from edgeseg.files import written_aside
from edgeseg.labels.class_maps import ClassMapsWriter
from edgeseg.labels.folders import NewFolder, copy_picture
from edgeseg.labels.formats import WriteOptions
from edgeseg.labels.instances import NewInstances
from edgeseg.labels.names import data_yaml
from edgeseg.labels.types import Classes, LabelPicture
from edgeseg.labels.yolo_writer import YoloWriter
from edgeseg.sinks.aside import writing


class FolderWriter:
    """Writes YOLO labels or masks to a new folder, with the class names, which appears whole."""

    def __init__(self, folder: Path, kind: str, classes: Classes, options: WriteOptions) -> None:
        """Make the folder as NAME.part. Raises SinkError."""
        self._new = NewFolder(folder)
        self._kind = kind
        self._copy = options.copy
        self._instances: NewInstances | None = None
        self._writer: YoloWriter | ClassMapsWriter | NewInstances
        if kind == "masks":
            self._writer = self._instances = NewInstances(self._new.path, classes)
        elif kind == "class-masks":
            self._writer = ClassMapsWriter(self._new.path / "masks", classes)
        else:
            self._writer = YoloWriter(
                self._new.path / "labels",
                segments=kind == "yolo-seg",
                scores=options.scores,
                tolerance_px=options.tolerance_px,
            )

    def add(self, picture: LabelPicture) -> None:
        """Write one picture. Raises SinkError and LabelError."""
        if self._copy:
            copy_picture(picture, self._new.path / "images")
        self._writer.add(picture)

    def finish(self, classes: Classes) -> str:
        """Write the class names, and give the folder its name. Raises SinkError."""
        if self._instances is not None:
            self._instances.close()
        write_names(self._new.path, self._kind, classes, pictures=self._copy)
        return self._new.finish()

    def discard(self) -> None:
        """Remove what was written."""
        if self._instances is not None:
            with contextlib.suppress(SinkError):
                self._instances.close()
        self._new.discard()


def write_names(folder: Path, kind: str, classes: Classes, *, pictures: bool) -> None:
    """Write data.yaml for YOLO, names.txt for masks. Raises SinkError."""
    names = classes.names()
    if kind in ("yolo", "yolo-seg"):
        path, text = folder / "data.yaml", data_yaml(names, pictures=pictures)
    else:
        path = folder / "names.txt"
        text = "".join(" ".join(name.splitlines()) + "\n" for name in names)
    with writing(path), written_aside(path) as aside:
        aside.write_bytes(text.encode("utf-8", "surrogateescape"))
