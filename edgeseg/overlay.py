"""The annotated picture: boxes, labels and a status strip over a frame.

Everything is written with NumPy slices: a box is eight bars, a label is a
ready picture. No drawing library is needed and a frame costs little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.colors import Color, class_color, text_color
from edgeseg.text import SpriteCache, sprite_height
from edgeseg.types import Result, Size

Picture = NDArray[np.uint8]
Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels."""

_WHITE: Color = (255, 255, 255)
_BLACK: Color = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Status:
    """What the strip in the corner says."""

    source: str
    fps: float | None = None
    """Frames per second of the run; None while it is not known."""

    def text(self) -> str:
        """Give one short line."""
        name = self.source if len(self.source) <= 32 else "…" + self.source[-31:]
        if self.fps is None:
            return name
        return f"{self.fps:.{0 if self.fps >= 10 else 1}f} FPS  ·  {name}"


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes that suit a picture."""

    text_px: int
    line_px: int

    @classmethod
    def of(cls, size_px: Size) -> Style:
        """Scale with the picture, a little slower than its diagonal does."""
        width, height = size_px
        text_px = 15 * ((width * height) / (768 * 576)) ** 0.4
        text_px = max(10, min(round(text_px), max(width, height) // 12))
        return cls(text_px=text_px, line_px=max(1, text_px // 6))


class Overlay:
    """Draws results. Keeps rendered text between frames; use it from one thread.

    `font` is the path of a TrueType file for class names that the built-in font
    cannot write. Raises ConfigError when it is not a font.
    """

    def __init__(self, class_names: Sequence[str], *, font: Path | None = None) -> None:
        self.class_names = tuple(class_names)
        self._sprites = SpriteCache(font)
        self._rows: dict[tuple[Color, int], Picture] = {}

    def draw(self, result: Result, status: Status | None = None) -> Picture:
        """Give the frame with its objects drawn in: a new uint8[H, W, 3], BGR.

        The frame itself is never changed.
        """
        out: Picture = result.frame.image.copy(order="C")
        style = Style.of(result.frame.size_px)
        places = LabelPlaces(sprite_height(style.text_px), result.frame.size_px)
        objects = self._objects(result, style)
        # What is drawn later lies on top; masks and trails belong below the boxes.
        self._draw_boxes(out, objects, style)
        self._draw_status(out, status, style, places)
        self._draw_labels(out, objects, style, places)
        return out

    def _objects(self, result: Result, style: Style) -> list[DrawnObject]:
        """Put every visible object into whole pixels, best first."""
        width, height = result.frame.size_px
        found = result.detections
        # Far enough outside to be dropped below, near enough for an int32.
        boxes = np.nan_to_num(found.boxes_px, nan=-1e6).clip(-1e6, 1e6).round().astype(np.int32)
        half = style.line_px // 2
        objects = []
        for (left, top, right, bottom), score, class_id in zip(
            boxes.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True
        ):
            if right < 0 or bottom < 0 or left > width or top > height:
                continue
            x = max(0, min(left - half, width - style.line_px))
            y = max(0, min(top - half, height - style.line_px))
            line = (
                x,
                y,
                min(max(right + half, x + style.line_px), width),
                min(max(bottom + half, y + style.line_px), height),
            )
            objects.append(DrawnObject(line, class_id, score))
        return objects

    def _draw_boxes(self, out: Picture, objects: list[DrawnObject], style: Style) -> None:
        """Draw the outlines, the best on top, each in a shadow that lifts it off any ground."""
        for item in reversed(objects):
            for bar in _bars(_grown(item.line), style.line_px + 2):
                ground = out[bar]
                np.right_shift(ground, 1, out=ground)
            row = self._row(class_color(item.class_id), out.shape[1])
            for bar in _bars(item.line, style.line_px):
                ground = out[bar]
                ground[:] = row[: ground.shape[1]]

    def _draw_labels(
        self, out: Picture, objects: list[DrawnObject], style: Style, places: LabelPlaces
    ) -> None:
        """Write name and score beside each box, the best having the first choice of place."""
        for item in objects:
            ground = class_color(item.class_id)
            text = f"{self._class_name(item.class_id)} {item.score * 100:.0f} %"
            sprite = self._sprites.get(text, style.text_px, text_color(ground), ground)
            corner = places.place(item.line, sprite.shape[1])
            if corner is None:
                continue
            x, y = corner
            region = out[y : y + sprite.shape[0], x : x + sprite.shape[1]]
            region[:] = sprite[:, : region.shape[1]]

    def _draw_status(
        self, out: Picture, status: Status | None, style: Style, places: LabelPlaces
    ) -> None:
        """Write the strip into the upper left corner; the picture shines through."""
        if status is None or not places.roomy:
            return
        sprite = self._sprites.get(status.text(), style.text_px, _WHITE, _BLACK)
        region = out[: sprite.shape[0], : sprite.shape[1]]
        np.right_shift(region, 2, out=region)
        np.maximum(region, sprite[:, : region.shape[1]], out=region)
        places.add(0, 0, sprite.shape[1])

    def _class_name(self, class_id: int) -> str:
        """Name of a class; its number when the names are too few."""
        if 0 <= class_id < len(self.class_names):
            return self.class_names[class_id]
        return str(class_id)

    def _row(self, color: Color, width: int) -> Picture:
        """Give a row of one colour: copying rows is much faster than painting pixels."""
        row = self._rows.get((color, width))
        if row is None:
            if len(self._rows) > 256:
                self._rows.clear()
            row = self._rows[color, width] = np.full((width, 3), color, np.uint8)
        return row


@dataclass(frozen=True, slots=True)
class DrawnObject:
    """One object in whole pixels."""

    line: Rect
    """Outer edges of its outline, inside the picture."""
    class_id: int
    score: float


class LabelPlaces:
    """Finds room for text: inside the picture, and out of the way of other text.

    Labels cover a quarter of the picture at most; beyond that the less certain
    objects go without.
    """

    def __init__(self, height: int, size_px: Size) -> None:
        self._height = height
        self._size_px = size_px
        # All text has one height: what can overlap lies in neighbouring bands.
        self._bands: dict[int, list[Rect]] = {}
        self._budget_px = size_px[0] * size_px[1] // 4
        self.roomy = min(size_px) >= 8 * height
        """False where a status strip would hide too much."""

    def place(self, line: Rect, width: int) -> tuple[int, int] | None:
        """Choose the left top corner of a label of `width` at a box, and keep it taken."""
        width = min(width, self._size_px[0])
        self._budget_px -= width * self._height
        if self._budget_px < 0:
            return None
        limit_x = self._size_px[0] - width
        limit_y = self._size_px[1] - self._height
        inside = [
            (max(0, min(x, limit_x)), y) for x, y in self._corners(line, width) if 0 <= y <= limit_y
        ]
        free = (corner for corner in inside if self._is_free(*corner, width))
        x, y = next(free, inside[0] if inside else (0, limit_y))
        self.add(x, y, width)
        return x, y

    def _corners(self, line: Rect, width: int) -> tuple[tuple[int, int], ...]:
        """Places at a box, the most usual first: above, inside, below, then at its right end."""
        left, top, right, bottom = line
        height = self._height
        return (
            (left, top - height),
            (left, top),
            (left, bottom),
            (right - width, top - height),
            (right - width, bottom),
            (left, bottom - height),
        )

    def _is_free(self, x: int, y: int, width: int) -> bool:
        """Whether a label would lie on no other."""
        band = y // self._height
        return not any(
            x < right and left < x + width and y < bottom and top < y + self._height
            for near in (band - 1, band, band + 1)
            for left, top, right, bottom in self._bands.get(near, ())
        )

    def add(self, x: int, y: int, width: int) -> None:
        """Mark a place as taken."""
        rect = (x, y, x + width, y + self._height)
        self._bands.setdefault(y // self._height, []).append(rect)


def _grown(line: Rect) -> Rect:
    """Move the outer edges one pixel outwards."""
    left, top, right, bottom = line
    return left - 1, top - 1, right + 1, bottom + 1


def _bars(line: Rect, thickness: int) -> Iterator[tuple[slice, slice]]:
    """Give the four bars of an outline as (rows, columns), none overlapping another."""
    left, top, right, bottom = line
    inner_top, inner_bottom = min(top + thickness, bottom), max(bottom - thickness, top)
    inner_left, inner_right = min(left + thickness, right), max(right - thickness, left)
    left, top = max(left, 0), max(top, 0)
    columns = slice(left, right)
    yield slice(top, inner_top), columns
    yield slice(max(inner_bottom, inner_top), bottom), columns
    if inner_top < inner_bottom:
        rows = slice(inner_top, inner_bottom)
        yield rows, slice(left, inner_left)
        yield rows, slice(max(inner_right, inner_left), right)
