"""YOLO labels: one text file for each frame, boxes or segments as fractions of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SinkError
from edgeseg.files import written_aside
from edgeseg.labels.data_sets import write_names
from edgeseg.labels.from_result import labelled
from edgeseg.labels.types import Classes
from edgeseg.labels.yolo import object_line
from edgeseg.sinks.aside import prepare_folder, writing
from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.spec import Spec
from edgeseg.sinks.training import TrainingFolder
from edgeseg.types import Result


class YoloSink:
    """Writes `class cx cy w h` a line, or segments; `?scores=yes` adds the score at the end.

    A frame without objects gets an empty file, which trainers read as background.
    With `?images=yes` the folder becomes a data set: images/, labels/, data.yaml.
    """

    needs_picture = False

    def __init__(self, spec: Spec, *, segments: bool = False) -> None:
        self.name = spec.text
        self._segments = segments
        self._scores = spec.choice("scores", "no", ("yes", "no")) == "yes"
        self._tolerance_px = spec.number("tolerance", 0, 0, 100)
        self._folder = TrainingFolder(spec)
        self._labels: Path | None = None
        self._classes = Classes()

    def open(self, run: RunInfo) -> None:
        """Make the folder. Raises SinkError."""
        self._classes = Classes(run.class_names)
        folder = self._folder.open()
        self._labels = prepare_folder(folder / "labels") if self._folder.images else folder

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Write one file. Raises SinkError."""
        if self._labels is None:
            raise SinkError(f"{self.name} is not open")
        names = self._folder.take(result.frame)
        if names is None:
            return
        lines = self._segment_lines(result) if self._segments else self._box_lines(result)
        path = self._labels / f"{names[0]}.txt"
        with writing(path), written_aside(path) as aside:
            aside.write_text(lines, encoding="ascii")

    def close(self) -> str | None:
        """Write data.yaml beside the pictures, and give the folder. Raises SinkError."""
        folder = self._folder.path
        if folder is None:
            return None
        if self._folder.images:
            write_names(folder, "yolo", self._classes, pictures=True)
        return str(folder)

    def _box_lines(self, result: Result) -> str:
        return yolo_lines(result, scores=self._scores)

    def _segment_lines(self, result: Result) -> str:
        picture = labelled(result, "", sized=True)
        return "".join(
            object_line(
                found,
                picture.size_px,
                segments=True,
                scores=self._scores,
                tolerance_px=self._tolerance_px,
            )
            for found in picture.objects
        )


def yolo_lines(result: Result, *, scores: bool) -> str:
    """Give a result as YOLO label lines: centre and size as fractions of width and height."""
    picture = labelled(result, "")
    return "".join(
        object_line(found, picture.size_px, segments=False, scores=scores)
        for found in picture.objects
    )
