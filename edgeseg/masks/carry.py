"""Masks of objects that were not detected in a frame: the last one, moved with the box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import Masks, Size, Tracks


@dataclass(frozen=True, slots=True)
class _Kept:
    grid: NDArray[np.uint8]
    edges: NDArray[np.float32]
    """float32[2, 4]: region and clip, in widths and heights of the box from its left top."""


class MaskMemory:
    """Remembers the masks of the last frame by identity."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def keep(self, masks: Masks, boxes_px: NDArray[np.float32], tracks: Tracks | None) -> None:
        """Remember a frame's masks, and forget what was before."""
        self._kept = {}
        if tracks is None:
            return
        for row, track in enumerate(tracks.ids.tolist()):
            if track > 0 and masks.grids[row].size > 0:
                edges = np.stack([masks.regions_px[row], masks.clips_px[row]])
                self._kept[track] = _Kept(masks.grids[row], _inside(edges, boxes_px[row]))

    def carried(
        self, boxes_px: NDArray[np.float32], tracks: Tracks | None, frame_px: Size
    ) -> Masks:
        """Give the masks of the carried rows, in their new boxes; the other rows have none."""
        count = len(boxes_px)
        grids = [np.zeros((0, 0), np.uint8)] * count
        places = np.zeros((2, count, 4), np.float32)
        if tracks is not None:
            for row in np.flatnonzero(tracks.carried):
                kept = self._kept.get(int(tracks.ids[row]))
                if kept is not None:
                    grids[row] = kept.grid
                    places[:, row] = _outside(kept.edges, boxes_px[row])
        return Masks(tuple(grids), places[0], places[1], frame_px)


def _inside(edges_px: NDArray[np.float32], box_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say edges in widths and heights of a box."""
    start, size = np.tile(box_px[:2], 2), np.tile(box_px[2:] - box_px[:2], 2)
    inside: NDArray[np.float32] = (edges_px - start) / np.maximum(size, np.float32(1e-3))
    return inside


def _outside(edges: NDArray[np.float32], box_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Undo `_inside` in another box."""
    start, size = np.tile(box_px[:2], 2), np.tile(box_px[2:] - box_px[:2], 2)
    moved: NDArray[np.float32] = edges * np.maximum(size, np.float32(1e-3)) + start
    return moved
