"""Outlines of boxes: bars of colour in a shadow that lifts them off any ground."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgeseg.colors import Color

Picture = NDArray[np.uint8]
Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels."""

_DASH = 4
"""Length of a dash and of a gap, in widths of the line."""


class Outlines:
    """Draws outlines. Keeps rows of colour: copying them is much faster than painting pixels."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Color, int], Picture] = {}

    def draw(
        self, out: Picture, line: Rect, line_px: int, color: Color, *, dashed: bool = False
    ) -> None:
        """Draw one with its outer edges on those of `line`, which lies inside `out`."""
        for bar in _bars(_grown(line), line_px + 2):
            for part in _dashes(bar, line_px) if dashed else (bar,):
                ground = out[part]
                np.right_shift(ground, 1, out=ground)
        row = self._row(color, out.shape[1])
        for bar in _bars(line, line_px):
            for part in _dashes(bar, line_px) if dashed else (bar,):
                ground = out[part]
                ground[:] = row[: ground.shape[1]]

    def _row(self, color: Color, width: int) -> Picture:
        row = self._rows.get((color, width))
        if row is None:
            if len(self._rows) > 256:
                self._rows.clear()
            row = self._rows[color, width] = np.full((width, 3), color, np.uint8)
        return row


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


def _dashes(bar: tuple[slice, slice], line_px: int) -> Iterator[tuple[slice, slice]]:
    """Cut a bar along its length; its first and last part are dashes, so corners are closed."""
    rows, columns = bar
    is_level = columns.stop - columns.start >= rows.stop - rows.start
    along = columns if is_level else rows
    length = along.stop - along.start
    # As many dashes as gaps, and one more.
    count = max(1, round(length / (2 * _DASH * line_px)))
    for i in range(count + 1):
        begin = along.start + round(2 * i * length / (2 * count + 1))
        end = along.start + round((2 * i + 1) * length / (2 * count + 1))
        part = slice(begin, end)
        yield (rows, part) if is_level else (part, columns)
