"""Where a layer stands in its cfg: what it may read, and how its mistakes are told."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseg.errors import DarknetError
from edgeseg.models.darknet.cfg import Section
from edgeseg.models.darknet.options import ACTIVATIONS, IMAGE, MAX_SIDE, Shape


class ShapeError(DarknetError):
    """Shapes that do not meet; a wrong input size is the usual reason."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a layer stands: its section, its index, and the shapes before it."""

    section: Section
    index: int
    image: Shape
    shapes: tuple[Shape, ...] | list[Shape]
    heads: set[int]
    """Layers that are heads: nothing may read them."""

    @property
    def previous(self) -> int:
        """Index of the layer before."""
        return self.source(self.index - 1, None)

    @property
    def before(self) -> Shape:
        """Shape that the layer before gives."""
        return self.shape(self.previous)

    def shape(self, index: int) -> Shape:
        """Shape of a layer, or of the image."""
        return self.image if index == IMAGE else self.shapes[index]

    def source(self, index: int, key: str | None) -> int:
        """Check that a layer's output may be read from here."""
        if index in self.heads:
            raise self.section.error(
                f"reads layer {index}, which is a head",
                key=key,
                hint="Put a [route] after the head that names the layer to go on from.",
            )
        return index

    def sources(self, key: str) -> tuple[int, ...]:
        """Resolve a list of layers: from 0, or backwards when negative."""
        numbers = self.section.integers(key, low=-(1 << 20), high=1 << 20)
        if not numbers:
            raise self.section.error(f"needs {key}=")
        return tuple(self._resolve(number, key) for number in numbers)

    def _resolve(self, number: int, key: str) -> int:
        index = number if number >= 0 else self.index + number
        if index < 0:
            raise self.section.error(f"{key}={number} points before the first layer", key=key)
        if index >= self.index:
            where = "itself" if index == self.index else f"layer {index}, which comes later"
            raise self.section.error(
                f"{key}={number} points to {where}; this is layer {self.index}", key=key
            )
        return self.source(index, key)

    def mismatch(self, message: str, key: str | None = None) -> ShapeError:
        """Make the error for shapes that do not meet."""
        section = self.section
        text = f"[{section.name}] {message}"
        return ShapeError(text, file=section.file, line=section.line_of(key))

    def refuse(self, *keys: str) -> None:
        """Raise DarknetError when an option is set that changes results in a way we lack."""
        for key in keys:
            if self.section.flag(key):
                raise self.section.error(f"option {key} is not supported", key=key)

    def activation(self, default: str) -> str:
        """Give the layer's activation. Raises DarknetError when it is unknown."""
        name = self.section.text("activation", default).lower()
        if name not in ACTIVATIONS:
            raise self.section.error(
                f"unknown activation {name[:40]!r}",
                key="activation",
                hint="Known: " + ", ".join(ACTIVATIONS) + ".",
            )
        return name

    def strides(self, default: int = 1) -> tuple[int, int]:
        """Give stride_y and stride_x; `stride` stands for either."""
        stride = self.section.integer("stride", default, low=1, high=MAX_SIDE)
        return (
            self.section.integer("stride_y", stride, low=1, high=MAX_SIDE),
            self.section.integer("stride_x", stride, low=1, high=MAX_SIDE),
        )
