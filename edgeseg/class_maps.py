"""What is done with a class map: bring it to the frame's size, measure its classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import NO_CLASS, ClassMap, Size


def stretched(class_map: ClassMap, size_px: Size) -> NDArray[np.uint16]:
    """Give uint16[H, W]: at each pixel of a frame of `size_px` the class where its centre lies."""
    x, y, width, height = class_map.region
    rows, columns = class_map.classes.shape
    down = _places(y, height, size_px[1], rows)
    across = _places(x, width, size_px[0], columns)
    # Whole rows last: taking them is a copy, taking columns is a walk.
    result: NDArray[np.uint16] = class_map.classes.take(across, axis=1).take(down, axis=0)
    return result


def areas(class_map: ClassMap) -> dict[int, float]:
    """Give the fraction of the frame that each class has, in their order; NO_CLASS left out.

    A cell of the map counts when its centre lies in the frame.
    """
    x, y, width, height = class_map.region
    inside = class_map.classes[_covered(y, height), _covered(x, width)]
    if inside.size == 0:
        return {}
    counts = np.bincount(inside.ravel())
    return {
        i: int(counts[i]) / inside.size for i in np.flatnonzero(counts).tolist() if i != NO_CLASS
    }


def _places(first: float, length: float, count: int, limit: int) -> NDArray[np.int64]:
    """Give the cell under the centre of each of `count` pixels."""
    cells = np.floor(first + (np.arange(count) + 0.5) * (length / count)).astype(np.int64)
    clipped: NDArray[np.int64] = np.clip(cells, 0, limit - 1)
    return clipped


def _covered(first: float, length: float) -> slice:
    """Give the cells whose centres lie from `first` on, for `length`."""
    return slice(max(0, int(np.ceil(first - 0.5))), max(0, int(np.ceil(first + length - 0.5))))
