"""What the folders of labels share: names, every n-th frame, and the pictures beside them."""

from __future__ import annotations

import os
from pathlib import Path

from edgeseg.errors import SinkError
from edgeseg.files import written_aside
from edgeseg.sinks.aside import prepare_folder, writing
from edgeseg.sinks.frame_names import FrameNames
from edgeseg.sinks.pictures import save_picture
from edgeseg.sinks.spec import Spec
from edgeseg.types import Frame

_QUALITY = 95


class TrainingFolder:
    """A folder of labels; with `?images=yes` the frames, not annotated, lie in images/.

    `images=png` keeps every pixel, `yes` writes JPEG except where the source's
    picture is PNG. `every=n` takes every n-th frame of the run.
    """

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._target = spec.path
        self._format = spec.choice("images", "no", ("no", "yes", "png"))
        self._every = round(spec.number("every", 1, 1, 1e9))
        self._names = FrameNames()
        self._count = 0
        self.path: Path | None = None
        """The folder, when it is open."""

    @property
    def images(self) -> bool:
        """True when frames are written."""
        return self._format != "no"

    def open(self) -> Path:
        """Make the folder and give its real path. Raises SinkError."""
        self.path = prepare_folder(self._target)
        if self.images:
            prepare_folder(self.path / "images")
        return self.path

    def take(self, frame: Frame) -> tuple[str, str] | None:
        """Give the names of a frame's label and picture, written when asked for.

        None for a frame that is not taken. Raises SinkError.
        """
        if self.path is None:
            raise SinkError(f"{self.name} is not open")
        self._count += 1
        if (self._count - 1) % self._every:
            return None
        stem = self._names.name(frame)
        if not self.images:
            return stem, stem if frame.path is None else f"{stem}{Path(frame.path).suffix}"
        png = frame.path is not None and frame.path.lower().endswith(".png")
        ending = "png" if png or self._format == "png" else "jpg"
        path = self.path / "images" / f"{stem}.{ending}"
        if frame.path is not None and os.path.realpath(frame.path) == str(path):
            raise SinkError(f"{path} is a picture of the source", hint="Choose another folder.")
        with writing(path), written_aside(path) as aside:
            save_picture(frame.host_image, aside, ending, quality=_QUALITY)
        return stem, path.name
