"""What every label format is read into and written from.

Coordinates are those of `edgeseg.types`: pixel (x, y) covers the square from
(x, y) to (x + 1, y + 1), a box is left, top, right, bottom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.types import Size

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels."""

MAX_CLASSES = 65_534
"""More do not fit a 16-bit class mask; a larger number is a broken file."""
MAX_PIXELS = 178_956_970
"""Larger pictures are refused: Pillow refuses them too."""


@dataclass(frozen=True, slots=True)
class Mask:
    """The pixels of one object: their bounding box, and which of its pixels they are.

    The box is as small as can be, so equal masks have equal fields.
    """

    box_px: tuple[int, int, int, int]
    counts: bytes
    """COCO's compressed run lengths of the box, column by column."""
    area_px: int
    """How many pixels."""

    @classmethod
    def from_pixels(cls, pixels: NDArray[np.bool_], left: int = 0, top: int = 0) -> Mask | None:
        """Take bool[h, w], whose corner lies at (left, top); None when no pixel is set."""
        columns = np.flatnonzero(pixels.any(axis=0))
        if not len(columns):
            return None
        rows = np.flatnonzero(pixels.any(axis=1))
        l, r = int(columns[0]), int(columns[-1]) + 1  # noqa: E741
        t, b = int(rows[0]), int(rows[-1]) + 1
        tight = np.ascontiguousarray(pixels[t:b, l:r])
        box_px = (left + l, top + t, left + r, top + b)
        return cls(box_px, _native.rle_encode(tight), int(np.count_nonzero(tight)))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the box."""
        left, top, right, bottom = self.box_px
        return bottom - top, right - left

    @property
    def bounds(self) -> Box:
        """The box as an object has it."""
        left, top, right, bottom = self.box_px
        return float(left), float(top), float(right), float(bottom)

    def pixels(self) -> NDArray[np.bool_]:
        """Give bool[h, w] of the box."""
        return _native.rle_decode(self.counts, self.shape)

    def dense(self, size_px: Size) -> NDArray[np.bool_]:
        """Give bool[H, W] of a whole picture, which must hold the box."""
        left, top, right, bottom = self.box_px
        frame = np.zeros((size_px[1], size_px[0]), np.bool_)
        frame[top:bottom, left:right] = self.pixels()
        return frame


@dataclass(frozen=True, slots=True)
class LabelObject:
    """One labelled object."""

    class_id: int
    box_px: Box
    """Inside the picture, and of some size."""
    mask: Mask | None = None
    score: float | None = None
    """From 0 to 1 when a network said so; None when it is a ground truth."""
    track_id: int = 0
    """Who it is from picture to picture; 0 when unknown."""
    crowd: bool = False
    """True for a region of many objects that are not told apart."""
    line: int | None = field(default=None, compare=False)
    """Where in the picture's label file it stands, from 1."""

    @property
    def area_px(self) -> float:
        """Pixels of the mask; without one, of the box."""
        if self.mask is not None:
            return float(self.mask.area_px)
        left, top, right, bottom = self.box_px
        return (right - left) * (bottom - top)


@dataclass(frozen=True, slots=True)
class LabelPicture:
    """One picture with all its objects."""

    name: str
    """Path below the folder of pictures, with `/`; a frame's number when it is of a clip."""
    size_px: Size
    objects: tuple[LabelObject, ...] = ()
    time_s: float | None = None
    """Position in the clip."""
    file: str = field(default="", compare=False)
    """The label file, for messages."""
    path: Path | None = field(default=None, compare=False)
    """The picture itself, where it was found."""


class Classes:
    """The names of the classes, which some formats tell only as they are read."""

    def __init__(
        self, names: Iterable[str] = (), *, categories: Mapping[int, int] | None = None
    ) -> None:
        self._names: dict[int, str] = dict(enumerate(names))
        self.fixed = bool(self._names)
        """True when all names were known from the start: other classes are errors."""
        self.categories = dict(categories or {})
        """COCO category of each class, when the labels came with their own."""

    def __len__(self) -> int:
        """Count the classes up to the highest number known."""
        return max(self._names, default=-1) + 1

    def name(self, class_id: int) -> str:
        """Give a class's name; its number when it has none."""
        return self._names.get(class_id) or str(class_id)

    def names(self) -> tuple[str, ...]:
        """Give a name for every class up to the highest number known."""
        return tuple(self.name(number) for number in range(len(self)))

    def find(self, name: str) -> int | None:
        """Give the number of a name."""
        return next((number for number, known in self._names.items() if known == name), None)

    def learn(self, class_id: int, name: str | None = None) -> bool:
        """Note that a class exists; False when it is known by another name."""
        known = self._names.get(class_id)
        if known is None or (not known and name):
            self._names[class_id] = name or ""
        return not known or not name or known == name


class LabelReader(Protocol):
    """Reads labels picture by picture."""

    classes: Classes
    """Complete when all pictures are read."""
    count: int | None
    """How many pictures there are, when that is known before reading."""

    def pictures(self) -> Iterator[LabelPicture]:
        """Give every picture once. Raises LabelError."""


class LabelWriter(Protocol):
    """Writes labels picture by picture."""

    def add(self, picture: LabelPicture) -> None:
        """Write one picture. Raises SinkError and LabelError."""

    def finish(self, classes: Classes) -> str:
        """Write what can be known only now, and give the place. Raises SinkError."""

    def discard(self) -> None:
        """Remove what was written; after an error."""
