"""The annotated picture: class map, masks, boxes, labels and a status strip over a frame.

Tints are laid by native code, everything else is written with NumPy slices: a
box is eight bars, a label is a ready picture. No drawing library is needed and
a frame costs little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeseg.colors import Color, class_color, text_color, track_color
from edgeseg.overlay.outlines import Outlines, Picture, Rect
from edgeseg.overlay.places import LabelPlaces
from edgeseg.overlay.tints import lay_class_map, lay_masks
from edgeseg.text import SpriteCache, sprite_height
from edgeseg.trails import Trails, draw_trail
from edgeseg.types import Result, Size

__all__ = ["LabelPlaces", "Overlay", "Status", "Style"]

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


@dataclass(frozen=True, slots=True)
class DrawnObject:
    """One object in whole pixels."""

    line: Rect
    """Outer edges of its outline, inside the picture."""
    color: Color
    text: str
    carried: bool
    """Not seen in this frame: its outline is dashed."""


class Overlay:
    """Draws results. Keeps rendered text between frames; use it from one thread.

    An object with an identity has a colour of its own, so that neighbours of
    one class stay apart and an eye can follow it; one without has its class's.
    Where masks overlap, a pixel belongs to the nearest object: that with the
    smaller box (`edgeseg.overlay.tints.front_to_back`).

    `font` is the path of a TrueType file for class names that the built-in font
    cannot write. Raises ConfigError when it is not a font.
    """

    def __init__(self, class_names: Sequence[str], *, font: Path | None = None) -> None:
        self.class_names = tuple(class_names)
        self._sprites = SpriteCache(font)
        self._outlines = Outlines()
        self._trails = Trails()

    def draw(self, result: Result, status: Status | None = None) -> Picture:
        """Give the frame with its objects drawn in: a new uint8[H, W, 3], BGR.

        The frame itself is never changed.
        """
        out: Picture = np.array(result.frame.image, order="C")
        style = Style.of(result.frame.size_px)
        places = LabelPlaces(sprite_height(style.text_px), result.frame.size_px)
        colors = self._colors(result)
        objects = self._objects(result, colors, style)
        # What is drawn later lies on top.
        if result.class_map is not None:
            lay_class_map(out, result.class_map)
        if result.masks is not None and len(result.masks):
            lay_masks(out, result.masks, result.detections.boxes_px, colors)
        self._draw_trails(out, result, colors, style)
        for item in reversed(objects):  # the best on top
            self._outlines.draw(out, item.line, style.line_px, item.color, dashed=item.carried)
        self._draw_status(out, status, style, places)
        self._draw_labels(out, objects, style, places)
        return out

    def _draw_trails(self, out: Picture, result: Result, colors: list[Color], style: Style) -> None:
        """Draw where each identity came from."""
        self._trails.add(result)
        for track_id, color in zip(self._track_ids(result), colors, strict=True):
            if track_id > 0:
                draw_trail(out, self._trails.of(track_id), color, width_px=style.line_px)

    def _colors(self, result: Result) -> list[Color]:
        """Give each object its identity's colour, else its class's."""
        class_ids = result.detections.class_ids.tolist()
        return [
            track_color(track_id) if track_id > 0 else class_color(class_id)
            for class_id, track_id in zip(class_ids, self._track_ids(result), strict=True)
        ]

    def _objects(self, result: Result, colors: list[Color], style: Style) -> list[DrawnObject]:
        """Put every visible object into whole pixels, best first."""
        width, height = result.frame.size_px
        found = result.detections
        # Far enough outside to be dropped below, near enough for an int32.
        boxes = np.nan_to_num(found.boxes_px, nan=-1e6).clip(-1e6, 1e6).round().astype(np.int32)
        track_ids = self._track_ids(result)
        half = style.line_px // 2
        objects = []
        for row, (left, top, right, bottom) in enumerate(boxes.tolist()):
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
            name = self._class_name(int(found.class_ids[row]))
            identity = f" {track_ids[row]}" if track_ids[row] > 0 else ""
            text = f"{name}{identity} {found.scores[row] * 100:.0f} %"
            carried = result.tracks is not None and bool(result.tracks.carried[row])
            objects.append(DrawnObject(line, colors[row], text, carried))
        return objects

    def _draw_labels(
        self, out: Picture, objects: list[DrawnObject], style: Style, places: LabelPlaces
    ) -> None:
        """Write name, identity and score beside each box, the best having the first choice."""
        for item in objects:
            sprite = self._sprites.get(item.text, style.text_px, text_color(item.color), item.color)
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

    def _track_ids(self, result: Result) -> list[int]:
        """Give each object's identity, 0 for none."""
        if result.tracks is None:
            return [0] * len(result.detections)
        ids: list[int] = result.tracks.ids.tolist()
        return ids

    def _class_name(self, class_id: int) -> str:
        """Name of a class; its number when the names are too few."""
        if 0 <= class_id < len(self.class_names):
            return self.class_names[class_id]
        return str(class_id)
