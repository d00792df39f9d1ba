"""Station 6: a mask for every object that the network gave only a box."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.masks.carry import LastMasks
from edgeseg.masks.second_look import better_boxes
from edgeseg.masks.smoothing import MaskSmoother
from edgeseg.masks.stability import StabilityMeter
from edgeseg.types import Detections, Frame, Masks, Result, Tracks

OLD_FRAMES = 30
"""From this age on an object counts double when masks are rationed."""


class Looker(Protocol):
    """What gives masks for boxes: the mask head."""

    def look(self, frame: Frame, boxes_px: NDArray[np.float32]) -> Masks:
        """Give the mask of each of float32[N, 4] boxes."""

    def close(self) -> None:
        """Release the network."""


class MaskFollower:
    """Adds masks to each result: looks at what was detected, carries what was not.

    At most `budget` objects of a frame are looked at, the large and the old
    ones first; the others get no mask and are counted. With `fine`, a mask
    that does not fill its box has the box set right and is looked at again.
    With `smooth`, the masks of an identity are steadied over time.
    """

    name = "masks"

    def __init__(
        self, looker: Looker, *, budget: int, fine: bool = False, smooth: bool = False
    ) -> None:
        self._looker = looker
        self._budget = budget
        self._fine = fine
        self._smoother = MaskSmoother() if smooth else None
        self._stability = StabilityMeter()
        self._memory = LastMasks()
        self._given = 0
        self._left_out = 0

    def follow(self, result: Result) -> Result:
        """Give the result with masks. Raises EngineError."""
        masks = result.masks
        if masks is None:
            masks = self._masks(result.frame, result.detections, result.tracks)
        self._memory.keep(masks, result.detections.boxes_px, result.tracks)
        if self._smoother is not None and result.tracks is not None:
            masks = self._smoother.smooth(result.tracks, masks)
        self._given += sum(grid.size > 0 for grid in masks.grids)
        result = replace(result, masks=masks)
        self._stability.add(result)
        return result

    def summary(self) -> dict[str, str]:
        """Give how many masks there were, and how many objects went without."""
        text = str(self._given)
        if self._left_out:
            text += (
                f"; {self._left_out} objects without one "
                f"(more than {self._budget} in a frame, see --mask-budget)"
            )
        return {"masks": text, **self._stability.summary()}

    def figures(self) -> dict[str, object]:
        """Give the same as numbers; the stability score says how steady the masks were."""
        return {
            "masks": self._given,
            "left_out": self._left_out,
            "stability": self._stability.to_dict(),
        }

    def close(self) -> None:
        """Release the network."""
        self._looker.close()

    def _masks(self, frame: Frame, found: Detections, tracks: Tracks | None) -> Masks:
        carried = self._memory.carried(found.boxes_px, tracks, frame.size_px)
        wanting = np.array([grid.size == 0 for grid in carried.grids], np.bool_)
        if tracks is not None:
            wanting &= ~tracks.carried
        rows = self._rationed(np.flatnonzero(wanting), found.boxes_px, tracks)
        if len(rows) == 0:
            return carried
        looked = self._look(frame, found.boxes_px[rows])
        return _placed(looked, rows, carried)

    def _look(self, frame: Frame, boxes_px: NDArray[np.float32]) -> Masks:
        masks = self._looker.look(frame, boxes_px)
        if not self._fine:
            return masks
        rows, boxes = better_boxes(masks, boxes_px)
        if len(rows) == 0:
            return masks
        return _placed(self._looker.look(frame, boxes), rows, masks)

    def _rationed(
        self, rows: NDArray[np.int64], boxes_px: NDArray[np.float32], tracks: Tracks | None
    ) -> NDArray[np.int64]:
        """Choose the rows that get a mask; the order among equals is that of the rows."""
        over = len(rows) - self._budget
        if over <= 0:
            return rows
        self._left_out += over
        size = boxes_px[rows, 2:] - boxes_px[rows, :2]
        weight = np.nan_to_num(size[:, 0] * size[:, 1])
        if tracks is not None:
            weight = weight * (1 + np.minimum(tracks.ages[rows], OLD_FRAMES) / OLD_FRAMES)
        return np.sort(rows[np.argsort(-weight, kind="stable")[: self._budget]])


def _placed(part: Masks, rows: NDArray[np.int64], whole: Masks) -> Masks:
    """Put the masks of `part` into `rows` of `whole`."""
    grids = list(whole.grids)
    for row, grid in zip(rows, part.grids, strict=True):
        grids[row] = grid
    regions, clips = whole.regions_px.copy(), whole.clips_px.copy()
    regions[rows], clips[rows] = part.regions_px, part.clips_px
    return Masks(tuple(grids), regions, clips, whole.frame_px)
