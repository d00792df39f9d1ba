"""Masks of objects that were not detected in a frame: the last one, moved with the box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.masks.moving import joined_masks, moved_masks, no_masks
from edgeseg.types import Masks, Size, Tracks


class LastMasks:
    """Remembers the masks of the last frame by identity."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Masks, NDArray[np.float32]]] = {}

    def keep(self, masks: Masks, boxes_px: NDArray[np.float32], tracks: Tracks | None) -> None:
        """Remember a frame's masks, and forget what was before."""
        self._kept = {}
        if tracks is None:
            return
        for row, track in enumerate(tracks.ids.tolist()):
            if track > 0 and masks.grids[row].size > 0:
                self._kept[track] = masks.select(np.array([row])), boxes_px[row : row + 1]

    def carried(
        self, boxes_px: NDArray[np.float32], tracks: Tracks | None, frame_px: Size
    ) -> Masks:
        """Give the masks of the carried rows, in their new boxes; the other rows have none."""
        if tracks is None or not len(tracks):
            return no_masks(len(boxes_px), frame_px)
        parts = []
        for row, (track, is_carried) in enumerate(
            zip(tracks.ids.tolist(), tracks.carried.tolist(), strict=True)
        ):
            kept = self._kept.get(track) if is_carried else None
            if kept is None:
                parts.append(no_masks(1, frame_px))
            else:
                parts.append(moved_masks(*kept, boxes_px[row : row + 1]))
        return joined_masks(parts)
