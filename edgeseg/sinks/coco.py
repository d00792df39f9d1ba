"""Results as one COCO file.

The file is a whole COCO dataset, so `pycocotools.coco.COCO(file)` opens it.
To score it against a ground truth hand over its annotations, which carry
scores: `truth.loadRes(json.load(open(file))["annotations"])`. A picture whose
name is a number has it as image id, as in COCO's own sets.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SinkError
from edgeseg.labels.coco_writer import CocoWriter, Segmentation
from edgeseg.labels.from_result import labelled
from edgeseg.labels.types import Classes
from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.spec import Spec
from edgeseg.types import Frame, Result


class CocoSink:
    """Writes boxes, scores and masks; `?masks=rle` (exact), `polygon` or `none`."""

    needs_picture = False

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._path = spec.path
        masks = spec.choice("masks", "rle", ("rle", "polygon", "none"))
        self._masks = cast("Segmentation", masks)
        self._tolerance_px = spec.number("tolerance", 0, 0, 100)
        self._writer: CocoWriter | None = None
        self._classes = Classes()

    def open(self, run: RunInfo) -> None:
        """Create NAME.part and write what is known. Raises SinkError."""
        self._classes = Classes(run.class_names)
        self._writer = CocoWriter(
            self._path, run, self._classes, masks=self._masks, tolerance_px=self._tolerance_px
        )

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Write the objects of one frame. Raises SinkError."""
        if self._writer is None:
            raise SinkError(f"{self.name} is not open")
        self._writer.add(labelled(result, _name(result.frame)))

    def close(self) -> str | None:
        """Finish the file and return its name; None, and no file, when no result came."""
        writer, self._writer = self._writer, None
        if writer is None:
            return None
        if writer.empty:
            writer.discard()
            return None
        return writer.finish(self._classes)


def _name(frame: Frame) -> str:
    return f"{frame.index:06d}" if frame.path is None else Path(frame.path).name
