"""Room for labels: inside the picture, out of each other's way, and not too much of it."""

from __future__ import annotations

from edgeseg.overlay.outlines import Rect
from edgeseg.types import Size


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
