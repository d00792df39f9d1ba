"""YOLO labels: one text file for each frame, boxes as fractions of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SinkError
from edgeseg.files import written_aside
from edgeseg.sinks.aside import prepare_folder, writing
from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.spec import Spec
from edgeseg.types import Frame, Result


class FrameNames:
    """Names the files of frames: the picture's stem, or the frame's number.

    Pictures of one stem in different folders get `_2`, `_3` and so on, in the
    order in which they come.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()

    def name(self, frame: Frame) -> str:
        """Give a name without ending that no other frame of the run has."""
        if frame.path is None:
            return f"{frame.index:06d}"
        stem = Path(frame.path).stem or "picture"
        name, number = stem, 1
        while name in self._used:
            number += 1
            name = f"{stem}_{number}"
        self._used.add(name)
        return name


class YoloSink:
    """Writes `class cx cy w h` a line, with `?scores=yes` the score as sixth column.

    A frame without objects gets an empty file, which trainers read as background.
    """

    needs_picture = False

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._target = spec.path
        self._scores = spec.choice("scores", "no", ("yes", "no")) == "yes"
        self._folder: Path | None = None
        self._names = FrameNames()

    def open(self, run: RunInfo) -> None:  # noqa: ARG002
        """Make the folder. Raises SinkError."""
        self._folder = prepare_folder(self._target)

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Write one file. Raises SinkError."""
        if self._folder is None:
            raise SinkError(f"{self.name} is not open")
        path = self._folder / f"{self._names.name(result.frame)}.txt"
        with writing(path), written_aside(path) as aside:
            aside.write_text(yolo_lines(result, scores=self._scores), encoding="ascii")

    def close(self) -> str | None:
        """Give the folder."""
        return None if self._folder is None else str(self._folder)


def yolo_lines(result: Result, *, scores: bool) -> str:
    """Give a result as YOLO label lines: centre and size as fractions of width and height."""
    found = result.detections
    left, top, right, bottom = (found.boxes_px.astype(np.float64) / (result.frame.size_px * 2)).T
    boxes = np.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], axis=1)
    lines = []
    for class_id, box, score in zip(
        found.class_ids.tolist(), boxes.tolist(), found.scores.tolist(), strict=True
    ):
        numbers = [*box, score] if scores else box
        lines.append(" ".join([str(class_id), *(f"{number:.6f}" for number in numbers)]) + "\n")
    return "".join(lines)
