"""A picture in a GPU's memory, as another package would hand it over."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np


class OnDevice:
    """A picture in the stand-in's memory, as another package would hand it over."""

    def __init__(
        self, native: ModuleType, image: np.ndarray, *, pitch: int = 0, stream: Any = None
    ):
        height, width, _ = image.shape
        self.pitch = pitch or 3 * width
        rows = np.zeros((height, self.pitch), np.uint8)
        rows[:, : 3 * width] = image.reshape(height, -1)
        self.stream = native.cuda.Stream()
        self.buffer = native.cuda.Buffer(rows.nbytes)
        self.buffer.upload(rows, self.stream.handle)
        self.stream.synchronize()
        self.told = {
            "shape": image.shape,
            "typestr": "|u1",
            "data": (self.buffer.pointer, False),
            "strides": (self.pitch, 3, 1) if pitch else None,
            "version": 3,
            "stream": self.stream.handle if stream else None,
        }

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self.told
