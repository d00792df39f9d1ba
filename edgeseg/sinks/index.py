"""Class maps as PNG files whose pixels are the classes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeseg.colors import class_color
from edgeseg.errors import SinkError
from edgeseg.files import written_aside
from edgeseg.sinks.aside import prepare_folder, writing
from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.frame_names import FrameNames
from edgeseg.sinks.spec import Spec
from edgeseg.types import NO_CLASS, ClassMap, Result, Size

VOID = 255
"""In an 8-bit file: the pixel is of no class."""


class IndexSink:
    """Writes one PNG for each frame, of the frame's size: 8 bits with a palette.

    With more than 255 classes it is 16 bits of grey, and 65535 is no class.
    """

    needs_picture = False

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._target = spec.path
        self._folder: Path | None = None
        self._names = FrameNames()
        self._wide = False
        self._palettes: dict[int | None, bytes] = {}

    def open(self, run: RunInfo) -> None:
        """Make the folder. Raises SinkError."""
        self._wide = len(run.class_names) > VOID
        self._folder = prepare_folder(self._target)

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Write one file. Raises SinkError, also when there is no class map."""
        if self._folder is None:
            raise SinkError(f"{self.name} is not open")
        if result.class_map is None:
            raise SinkError(
                f"sink {self.name}: no classes of pixels to write",
                hint="Run with --segment semantic.",
            )
        path = self._folder / f"{self._names.name(result.frame)}.png"
        if result.frame.path is not None and os.path.realpath(result.frame.path) == str(path):
            raise SinkError(f"{path} is a picture of the source", hint="Choose another folder.")
        content = self._encoded(result.class_map, result.frame.size_px)
        with writing(path), written_aside(path) as aside:
            aside.write_bytes(content)

    def close(self) -> str | None:
        """Give the folder."""
        return None if self._folder is None else str(self._folder)

    def _encoded(self, class_map: ClassMap, size_px: Size) -> bytes:
        classes = class_map.dense(size_px)
        encoded = io.BytesIO()
        if self._wide:
            Image.fromarray(classes).save(encoded, "PNG", compress_level=1)
            return encoded.getvalue()
        image = Image.fromarray(np.minimum(classes, VOID).astype(np.uint8))
        image.putpalette(self._palette(class_map.background))
        image.save(encoded, "PNG", compress_level=1)
        return encoded.getvalue()

    def _palette(self, background: int | None) -> bytes:
        """Give 256 colours, those of the overlay; background and no class are black."""
        if background not in self._palettes:
            dark = {VOID, background, NO_CLASS}
            colors = [(0, 0, 0) if i in dark else class_color(i)[::-1] for i in range(256)]
            self._palettes[background] = bytes(part for color in colors for part in color)
        return self._palettes[background]
