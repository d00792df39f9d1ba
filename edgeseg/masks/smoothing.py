"""Masks of a tracked object, steadied over time without lagging behind its motion.

A mask's grid lies over its object's box, so the way of the object through the
frame is no change. What remains of a jittering box is measured and undone:
the former grid is laid on the present one where both agree best. What then
changes is flicker or motion: a change that the next frame takes back is
dropped, one that lasts is shown a frame late, and where changes are known to
last they are followed at once. The rule is in csrc/ops/steady.h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.types import Masks, Tracks

Grid = NDArray[np.uint8]
Fit = tuple[float, float, float, float]

BRIDGED_FRAMES = 2
"""A track without a mask keeps its last one for so many frames."""
FORGOTTEN_FRAMES = 30
"""A track that is not seen for so many frames is forgotten."""
SAME: Fit = (1.0, 0.0, 1.0, 0.0)

_FIRST_DOUBT = 100
_FIRST_FLICKER = 0.35
_NEW_SPEED = 0.2


@dataclass(slots=True)
class _Memory:
    """What is remembered of one track: four grids of one size, and where they lay."""

    smooth: Grid
    raw: Grid
    doubt: Grid
    trend: Grid
    flicker: float
    """Share of its changes that the next frame took back, lately."""
    way: Way
    clip_px: NDArray[np.float32]
    seen: int
    """The frame in which it last had a mask."""


class MaskSmoother:
    """Steadies masks frame by frame; the same input gives the same output.

    Remembers about 20 KB for a track with a grid of 64 x 64, and nothing of
    tracks that are gone.
    """

    def __init__(self) -> None:
        self._memories: dict[int, _Memory] = {}
        self._frame = 0

    def __len__(self) -> int:
        """Count the tracks it remembers."""
        return len(self._memories)

    def smooth(self, tracks: Tracks, masks: Masks) -> Masks:
        """Give the masks of the next frame, steadied; those without identity stay as they are.

        Raises ValueError when tracks and masks are not in step.
        """
        if len(tracks) != len(masks):
            raise ValueError(f"{len(tracks)} tracks and {len(masks)} masks are not in step")
        self._frame += 1
        grids = list(masks.grids)
        regions, clips = masks.regions_px.copy(), masks.clips_px.copy()
        given: dict[int, Grid] = {}
        for row, track_id in enumerate(tracks.ids.tolist()):
            if track_id <= 0:
                continue
            if track_id in given:  # one object with several classes has several rows
                grids[row] = given[track_id]
            elif grids[row].size:
                grids[row] = self._steadied(track_id, grids[row], regions[row], clips[row])
            elif (memory := self._bridge(track_id)) is not None:
                grids[row] = memory.smooth
                regions[row], clips[row] = memory.way.region_px, memory.clip_px
            given[track_id] = grids[row]
        self._forget()
        return Masks(tuple(grids), regions, clips, masks.frame_px)

    def _steadied(
        self,
        track_id: int,
        present: Grid,
        region_px: NDArray[np.float32],
        clip_px: NDArray[np.float32],
    ) -> Grid:
        memory = self._memories.get(track_id)
        present = np.ascontiguousarray(present)
        if memory is not None and self._frame - memory.seen > BRIDGED_FRAMES + 1:
            memory = None
        if memory is None:
            way = Way(region_px)
            smooth, trend = present, np.zeros_like(present)
            doubt, flicker = np.full_like(present, _FIRST_DOUBT), _FIRST_FLICKER
        else:
            frames = self._frame - memory.seen
            fit = _native.grid_fit(memory.raw, present, memory.way.starts(region_px, frames))
            smooth, doubt, trend, flicker = _native.grid_steady(
                memory.smooth,
                memory.raw,
                memory.doubt,
                memory.trend,
                present,
                fit,
                memory.flicker,
            )
            way = memory.way.after(region_px, frames)
        self._memories[track_id] = _Memory(
            smooth, present, doubt, trend, flicker, way, clip_px.copy(), self._frame
        )
        return smooth

    def _bridge(self, track_id: int) -> _Memory | None:
        """Give the last mask of a track that has none now, for a few frames."""
        memory = self._memories.get(track_id)
        if memory is None or self._frame - memory.seen > BRIDGED_FRAMES:
            return None
        return memory

    def _forget(self) -> None:
        oldest = self._frame - FORGOTTEN_FRAMES
        gone = [key for key, memory in self._memories.items() if memory.seen < oldest]
        for key in gone:
            del self._memories[key]


class Way:
    """How a mask's region goes through the frame, its jitter averaged out."""

    def __init__(self, region_px: NDArray[np.float32]) -> None:
        self.region_px = region_px.copy()
        self._speed_px = np.zeros(4)

    def starts(self, region_px: NDArray[np.float32], frames: int = 1) -> list[Fit]:
        """Give guesses how the present region lies on this one, `frames` later.

        The object moved as its box did; it stood still and the box jittered;
        it went on as before and the box jittered.
        """
        gone_on = (self.region_px + frames * self._speed_px).astype(np.float32)
        guesses = (standing(self.region_px, region_px), standing(gone_on, region_px))
        return [SAME, *(guess for guess in guesses if guess is not None)]

    def after(self, region_px: NDArray[np.float32], frames: int = 1) -> Way:
        """Give the way one step on."""
        way = Way(region_px)
        step = (region_px.astype(np.float64) - self.region_px) / frames
        way._speed_px = self._speed_px + _NEW_SPEED * (step - self._speed_px)
        return way


def standing(former_px: NDArray[np.float32], present_px: NDArray[np.float32]) -> Fit | None:
    """Give the fit of two regions over an object that stands still in the frame.

    None when a region has no area.
    """
    former, present = former_px.astype(np.float64), present_px.astype(np.float64)
    size_before, size_now = former[2:] - former[:2], present[2:] - present[:2]
    if not (np.all(size_before > 0) and np.all(size_now > 0)):
        return None
    scale = size_now / size_before
    shift = ((present[:2] + present[2:]) - (former[:2] + former[2:])) / 2 / size_before
    if not np.all(np.isfinite((*scale, *shift))):
        return None
    return float(scale[0]), float(shift[0]), float(scale[1]), float(shift[1])
