"""Write YOLO labels; edgeseg.labels.yolo says what the lines mean."""

from __future__ import annotations

from pathlib import Path

from edgeseg.labels.folders import LabelFiles
from edgeseg.labels.types import LabelPicture
from edgeseg.labels.yolo import object_line


class YoloWriter:
    """Writes one file for each picture; without objects it is empty, which means background.

    Crowds are left out: the format has no word for them.
    """

    def __init__(
        self, folder: Path, *, segments: bool, scores: bool = False, tolerance_px: float = 0.0
    ) -> None:
        self._files = LabelFiles(folder, ".txt")
        self._segments = segments
        self._scores = scores
        self._tolerance_px = tolerance_px

    def add(self, picture: LabelPicture) -> None:
        """Write one file. Raises SinkError and LabelError."""
        lines = [
            object_line(
                found,
                picture.size_px,
                segments=self._segments,
                scores=self._scores,
                tolerance_px=self._tolerance_px,
            )
            for found in picture.objects
            if not found.crowd
        ]
        self._files.write(picture, "".join(lines).encode("ascii"))
