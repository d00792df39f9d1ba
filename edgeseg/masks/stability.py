"""How steady masks are over time, told from the results alone.

No ground truth is needed: each mask is held against the same track's masks of
the frames before, laid on it where both agree best, so that the motion of the
object does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.masks.smoothing import Grid, Way
from edgeseg.types import Result

GONE_FRAMES = 15
"""A track that ended no longer ago may go on under another number."""
SAME_PLACE_IOU = 0.5
"""Overlap of boxes above which a new track is taken for an old one."""


@dataclass(slots=True)
class _Past:
    """The last two masks of a track, on the grid of the last one."""

    last: Grid
    before: Grid | None
    way: Way
    frame: int
    missing: bool = False


@dataclass(slots=True)
class _Place:
    """Where a track was last seen."""

    box_px: NDArray[np.float32]
    class_id: int
    frame: int


@dataclass(slots=True)
class _Sum:
    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None


class StabilityMeter:
    """Adds up the steadiness of results that come in order; memory is bounded by the live tracks.

    - flicker: the share of a mask that changed in the last frame and is now as
      it was before, mean over masks with two before them; a mask that is
      missing for a frame of its track's life counts whole.
    - temporal IoU: of a mask and the last one laid on it.
    - switches: new tracks that begin where another of their class ended at
      most GONE_FRAMES ago: an estimate, for want of the truth.
    """

    def __init__(self) -> None:
        self._pasts: dict[int, _Past] = {}
        self._places: dict[int, _Place] = {}
        self._frame = 0
        self._flicker = _Sum()
        self._overlap = _Sum()
        self._tracks = 0
        self._newest_id = 0
        self._switches = 0
        self._dropouts = 0

    def add(self, result: Result) -> None:
        """Take the next result into account; without tracks there is nothing to tell."""
        if result.tracks is None:
            return
        self._frame += 1
        seen: set[int] = set()
        for row, track_id in enumerate(result.tracks.ids.tolist()):
            if track_id <= 0 or track_id in seen:
                continue
            seen.add(track_id)
            if result.masks is not None:
                grid = result.masks.grids[row]
                self._add_mask(track_id, grid, result.masks.regions_px[row])
        self._add_places(result)
        self._forget()

    def to_dict(self) -> dict[str, object]:
        """Give the score as numbers; None where nothing could be compared."""
        return {
            "flicker": _rounded(self._flicker.mean),
            "temporal_iou": _rounded(self._overlap.mean),
            "masks_compared": self._overlap.count,
            "mask_dropouts": self._dropouts,
            "tracks": self._tracks,
            "identity_switches_estimated": self._switches,
        }

    def summary(self) -> dict[str, str]:
        """Give a line for the run's summary; nothing when there is nothing to tell."""
        parts = []
        if self._overlap.mean is not None:
            parts.append(f"temporal IoU {self._overlap.mean:.3f}")
        if self._flicker.mean is not None:
            parts.append(f"flicker {100 * self._flicker.mean:.2f} %")
        if self._dropouts:
            parts.append(f"{self._dropouts} masks missing for a frame")
        if self._tracks:
            parts.append(f"{self._switches} likely switches in {self._tracks} tracks")
        return {"stability": ", ".join(parts)} if parts else {}

    def _add_mask(self, track_id: int, grid: Grid, region_px: NDArray[np.float32]) -> None:
        past = self._pasts.get(track_id)
        grid = np.ascontiguousarray(grid)
        if past is None or past.frame != self._frame - 1:
            if grid.size:
                self._pasts[track_id] = _Past(grid, None, Way(region_px), self._frame)
            return
        past.frame = self._frame
        if not grid.size:
            past.missing = True
            return
        if past.missing:  # it is back: the gap was the flicker
            self._dropouts += 1
            self._flicker.add(1.0)
            self._pasts[track_id] = _Past(grid, None, Way(region_px), self._frame)
            return
        self._pasts[track_id] = self._compared(past, grid, region_px)

    def _compared(self, past: _Past, grid: Grid, region_px: NDArray[np.float32]) -> _Past:
        fit = _native.grid_fit(past.last, grid, past.way.starts(region_px))
        rows, columns = grid.shape
        last = _native.grid_laid(past.last, (rows, columns), fit)
        now_on, last_on = grid >= 128, last >= 128
        either = int(np.count_nonzero(now_on | last_on))
        if either:
            self._overlap.add(int(np.count_nonzero(now_on & last_on)) / either)
        if past.before is not None:
            before = _native.grid_laid(past.before, (rows, columns), fit)
            before_on = before >= 128
            taken_back = int(np.count_nonzero((now_on == before_on) & (now_on != last_on)))
            area = max(int(np.count_nonzero(now_on)), int(np.count_nonzero(before_on)), 1)
            self._flicker.add(min(1.0, taken_back / area))
        return _Past(grid, last, past.way.after(region_px), self._frame)

    def _add_places(self, result: Result) -> None:
        """Look where new tracks begin."""
        assert result.tracks is not None
        now: dict[int, _Place] = {}
        for row, track_id in enumerate(result.tracks.ids.tolist()):
            if track_id > 0 and track_id not in now:
                class_id = int(result.detections.class_ids[row])
                now[track_id] = _Place(result.detections.boxes_px[row], class_id, self._frame)
        for track_id, place in now.items():
            if track_id > self._newest_id:
                self._tracks += 1
                self._switches += self._took_over(place, now)
        self._newest_id = max(self._newest_id, *now, 0)
        self._places.update(now)

    def _took_over(self, place: _Place, now: dict[int, _Place]) -> bool:
        """Tell whether a new track stands where another ended, and end that one for good."""
        ended = [
            (overlap, key)
            for key, other in self._places.items()
            if key not in now
            and other.class_id == place.class_id
            and (overlap := _iou(place.box_px, other.box_px)) >= SAME_PLACE_IOU
        ]
        if not ended:
            return False
        del self._places[max(ended)[1]]
        return True

    def _forget(self) -> None:
        for key in [k for k, past in self._pasts.items() if past.frame < self._frame]:
            del self._pasts[key]
        oldest = self._frame - GONE_FRAMES
        for key in [k for k, place in self._places.items() if place.frame < oldest]:
            del self._places[key]


def _iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - common
    return common / union if union > 0 else 0.0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
