"""Annotated pictures, one file for each frame."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeseg.errors import SinkError
from edgeseg.files import written_aside
from edgeseg.sinks.aside import prepare_folder, writing
from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.frame_names import FrameNames
from edgeseg.sinks.spec import Spec
from edgeseg.types import Frame, Result

FORMATS = ("auto", "jpg", "png")


class PicturesSink:
    """Writes JPEG or PNG files; a picture keeps its name, and PNG stays PNG.

    A cut-out background is transparent, in PNG; `?format=jpg` makes it black.
    `?format=png` chooses for all, `?quality=95` is JPEG's quality.
    """

    needs_picture = True

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._target = spec.path
        self._format = spec.choice("format", "auto", FORMATS)
        self.takes_alpha = self._format != "jpg"
        self._quality = round(spec.number("quality", 90, 1, 100))
        self._folder: Path | None = None
        self._names = FrameNames()

    def open(self, run: RunInfo) -> None:  # noqa: ARG002
        """Make the folder. Raises SinkError."""
        self._folder = prepare_folder(self._target)

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:
        """Write one file. Raises SinkError, also where it would replace the source's picture."""
        if self._folder is None or picture is None:
            raise SinkError(f"{self.name} is not open, or has no picture")
        ending = "png" if picture.shape[2] == 4 else self._ending(result.frame)
        path = self._folder / f"{self._names.name(result.frame)}.{ending}"
        if result.frame.path is not None and os.path.realpath(result.frame.path) == str(path):
            raise SinkError(f"{path} is a picture of the source", hint="Choose another folder.")
        with writing(path), written_aside(path) as aside:
            save_picture(picture, aside, ending, quality=self._quality)

    def close(self) -> str | None:
        """Give the folder."""
        return None if self._folder is None else str(self._folder)

    def _ending(self, frame: Frame) -> str:
        """Choose the format of one frame."""
        if self._format != "auto":
            return self._format
        return "png" if frame.path is not None and frame.path.lower().endswith(".png") else "jpg"


def save_picture(picture: NDArray[np.uint8], path: Path, ending: str, *, quality: int = 90) -> None:
    """Write uint8[H, W, 3] BGR as `jpg` or `png`, or BGRA as `png`. Raises OSError."""
    order = (2, 1, 0, 3)[: picture.shape[2]]
    image = Image.fromarray(np.ascontiguousarray(picture[:, :, order]))
    # Not straight to the file: Pillow does not notice when the disk takes only a part.
    encoded = io.BytesIO()
    if ending == "png":
        # Level 1 takes a quarter of the default's time for files one seventh larger.
        image.save(encoded, "PNG", compress_level=1)
    else:
        image.save(encoded, "JPEG", quality=quality, subsampling=0 if quality >= 90 else 2)
    path.write_bytes(encoded.getbuffer())
