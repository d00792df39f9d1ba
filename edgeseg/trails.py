"""Where tracked objects came from: a fading line behind each of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeseg.colors import Color
from edgeseg.types import Result

Point = tuple[float, float]
TRAIL_S = 2.0
"""How far back a trail reaches."""
MOST_POINTS = 120


class Trails:
    """The last places of each identity: the middle of the lower edge of its box, px.

    That is where most objects touch the ground. Takes every result of a run, in order.
    """

    def __init__(self, length_s: float = TRAIL_S) -> None:
        if not length_s > 0:
            raise ValueError(f"length_s must be above 0, got {length_s}")
        self._length_s = length_s
        self._places: dict[int, deque[tuple[float, Point]]] = {}

    def add(self, result: Result) -> None:
        """Take the objects of one more frame, and forget what is older than the trails."""
        now_s = result.frame.time_s
        if result.tracks is not None:
            for key, (left, _, right, bottom) in zip(
                result.tracks.ids.tolist(), result.detections.boxes_px.tolist(), strict=True
            ):
                if key > 0:
                    places = self._places.setdefault(key, deque(maxlen=MOST_POINTS))
                    places.append((now_s, ((left + right) / 2, bottom)))
        for key, places in list(self._places.items()):
            while places and not 0 <= now_s - places[0][0] <= self._length_s:
                places.popleft()
            if not places:
                del self._places[key]

    def of(self, identity: int) -> list[Point]:
        """Give the places of an identity, the oldest first; none when it has no trail."""
        return [point for _, point in self._places.get(identity, ())]


def draw_trail(
    picture: NDArray[np.uint8], points: Sequence[Point], color: Color, *, width_px: int = 2
) -> None:
    """Draw a line through `points`, the oldest first, into uint8[H, W, 3] BGR, in place.

    Its newer end is solid, its older end fades into the picture. What lies outside is left out.
    """
    if width_px < 1:
        raise ValueError(f"width_px must be 1 or more, got {width_px}")
    if len(points) < 2:
        return
    places, strength = _dots(np.asarray(points, np.float64))
    offset = np.arange(width_px) - (width_px - 1) / 2
    dx, dy = (grid.ravel() for grid in np.meshgrid(offset, offset))
    x = np.floor(places[:, 0, None] + dx).astype(np.int64)
    y = np.floor(places[:, 1, None] + dy).astype(np.int64)
    height, width = picture.shape[:2]
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    rows, columns = y[inside], x[inside]
    alpha = np.broadcast_to(strength[:, None], x.shape)[inside][:, None]
    ground = picture[rows, columns].astype(np.float64)
    mixed = ground + (np.array(color, np.float64) - ground) * alpha
    # Of the dots that cover a pixel the last one, the strongest, is what stays.
    picture[rows, columns] = np.rint(mixed).astype(np.uint8)


def _dots(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give places float64[K, 2] a pixel apart along the line, and their strengths, 0.2 to 1."""
    points = points[np.isfinite(points).all(axis=1)].clip(-1e4, 1e5)
    steps = np.abs(np.diff(points, axis=0)).max(axis=1, initial=0.0)
    way = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.arange(0.0, way[-1] + 1.0) if len(points) else np.zeros(0)
    at = at[at <= way[-1]] if len(points) else at
    if not len(at):
        return np.zeros((0, 2)), np.zeros(0)
    places = np.stack([np.interp(at, way, points[:, axis]) for axis in (0, 1)], axis=1)
    share = at / way[-1] if way[-1] > 0 else np.ones_like(at)
    return places, 0.2 + 0.8 * share
