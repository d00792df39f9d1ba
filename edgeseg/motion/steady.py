"""Small pictures of the scene, by which a frame is held against the background model.

A camera trembles, and its exposure and white balance follow what walks in.
Both are measured here against a slow mean of the frames, and undone before the
background model sees the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.sources.camera import imported_cv2
from edgeseg.types import Size

GLIMPSE_PX = 256
"""Long side of the small pictures."""
SMALLEST_SHIFT = 0.0006
"""Share of the picture's width below which a shift is an error of the measurement."""
LARGEST_SHIFT = 0.04
"""Share up to which a shift is undone; beyond, the camera was turned."""

_SURE = 0.1
_BETTER = 0.75
_STIR = 10.0
"""Change of a level from frame to frame that noise does not reach at this size."""
_GROUPS = 12
_FEWEST = 0.01
_SMALLEST_CHANGE = 1.0
_LEVELS = np.arange(256, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Pose:
    """How a frame differs from the reference as a whole."""

    shift: tuple[float, float] = (0.0, 0.0)
    """Shares of the picture's width and height by which it lies to the right and below."""
    tones: NDArray[np.uint8] | None = None
    """uint8[256, 3]: the level each blue, green and red had in the usual light; None: the same."""

    @property
    def light_change(self) -> float:
        """How much brighter or darker the frame is, as the logarithm of a factor; 0 or more."""
        if self.tones is None:
            return 0.0
        levels = np.arange(32, 224, dtype=np.float64)[:, None]
        return float(np.median(np.abs(np.log((self.tones[32:224] + 4.0) / (levels + 4.0)))))


class Reference:
    """A slow mean of what the camera shows, at the size of a glimpse."""

    def __init__(self, size_px: Size) -> None:
        self._cv2 = imported_cv2("the segmentation of motion")
        factor = min(1.0, GLIMPSE_PX / max(size_px))
        self._size_px = max(8, round(size_px[0] * factor)), max(8, round(size_px[1] * factor))
        self._window = self._cv2.createHanningWindow(self._size_px, self._cv2.CV_32F)
        self._mean: NDArray[np.float32] | None = None
        self._last: NDArray[np.float32]
        self._stirred_s: NDArray[np.float64]

    def glimpse(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give float32[h, w, 3] of a frame."""
        small = self._cv2.resize(image, self._size_px, interpolation=self._cv2.INTER_AREA)
        return np.asarray(small, np.float32)

    def pose(self, glimpse: NDArray[np.float32]) -> Pose:
        """Measure a frame against the mean; the first one is the mean."""
        if self._mean is None:
            return Pose()
        shift = self._shift(glimpse)
        aligned = self._moved(glimpse, shift)
        return Pose(shift, _tones(aligned, self._mean))

    def learn(self, glimpse: NDArray[np.float32], pose: Pose, rate: float, time_s: float) -> None:
        """Let a frame into the mean, as it would look from the mean's pose."""
        view = relit(self._moved(glimpse, pose.shift), pose)
        if self._mean is None:
            self._mean = self._last = view.copy()
            self._stirred_s = np.full(view.shape[:2], -np.inf)
            return
        self._mean += (view - self._mean) * np.float32(rate)
        self._stirred_s[np.abs(view - self._last).max(axis=2) > _STIR] = time_s
        self._last = view

    def stirred(self, since_s: float) -> NDArray[np.bool_]:
        """Tell where the picture changed from one frame to the next, at a time or later."""
        return self._stirred_s >= since_s

    def _shift(self, glimpse: NDArray[np.float32]) -> tuple[float, float]:
        """Measure by phase correlation; believed only where it explains the picture better."""
        assert self._mean is not None
        cv2, width, height = self._cv2, *self._size_px
        then, now = (cv2.cvtColor(view, cv2.COLOR_BGR2GRAY) for view in (self._mean, glimpse))
        # Copies: phaseCorrelate multiplies the window into what it is given.
        (x, y), certainty = cv2.phaseCorrelate(then.copy(), now.copy(), self._window)
        shift = x / width, y / height
        if not math.isfinite(x + y) or certainty < _SURE or math.hypot(*shift) < SMALLEST_SHIFT:
            return 0.0, 0.0
        # What moves may outweigh the scene: undone, the shift must mend most of the picture.
        moved = self._moved(now, shift)
        return shift if self._error(moved, then) < _BETTER * self._error(now, then) else (0.0, 0.0)

    def _error(self, now: NDArray[np.float32], then: NDArray[np.float32]) -> float:
        """Tell how badly the edges of the mean are met; half of them may be covered."""
        cv2, kind = self._cv2, self._cv2.CV_32F
        across, down = cv2.Sobel(then, kind, 1, 0), cv2.Sobel(then, kind, 0, 1)
        steepness = np.hypot(across, down)
        strong = steepness >= np.percentile(steepness, 80)
        missing = np.hypot(cv2.Sobel(now, kind, 1, 0) - across, cv2.Sobel(now, kind, 0, 1) - down)
        return float(np.median(missing[strong]))

    def _moved(self, view: NDArray[np.float32], shift: tuple[float, float]) -> NDArray[np.float32]:
        """Move a glimpse back by a shift."""
        if shift == (0.0, 0.0):
            return view
        width, height = self._size_px
        matrix = np.array([[1, 0, -shift[0] * width], [0, 1, -shift[1] * height]], np.float32)
        mode = self._cv2.BORDER_REPLICATE
        return np.asarray(
            self._cv2.warpAffine(view, matrix, self._size_px, borderMode=mode), np.float32
        )


def relit(view: NDArray[Any], pose: Pose) -> NDArray[Any]:
    """Give uint8 or float32[h, w, 3] in the usual light."""
    if pose.tones is None:
        return view
    levels = view if view.dtype == np.uint8 else view.round().clip(0, 255).astype(np.uint8)
    out = imported_cv2("the segmentation of motion").LUT(levels, pose.tones[None])
    return np.asarray(out, view.dtype)


def _tones(now: NDArray[np.float32], then: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Give the way back from the light of now, as most of the picture tells it.

    Pixels are sorted by their usual level; the median of each group tells what
    has become of that level, as long as less than half of the group is covered.
    """
    few = slice(None, None, 2)  # a quarter of the pixels knows the medians as well
    columns = [
        _curve(now[few, few, channel].ravel(), then[few, few, channel].ravel())
        for channel in range(3)
    ]
    if all(np.abs(column - _LEVELS).max() < _SMALLEST_CHANGE for column in columns):
        return None
    tones: NDArray[np.uint8] = np.stack(columns, axis=1).round().clip(0, 255).astype(np.uint8)
    return tones


def _curve(now: NDArray[np.float32], then: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give float64[256]: the usual level of each level of one channel."""
    group = (then * (_GROUPS / 256)).astype(np.int64)
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group[order], np.arange(_GROUPS + 1))
    usual, become = [], []
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if last - first >= _FEWEST * len(now):
            rows = order[first:last]
            usual.append(float(np.median(then[rows])))
            become.append(usual[-1] + float(np.median(now[rows] - then[rows])))
    if not usual:
        return _LEVELS
    # Beyond the darkest and the brightest group the change fades to black and white.
    become_up = np.maximum.accumulate(np.array([0.0, *become, 255.0]))
    return np.asarray(np.interp(_LEVELS, become_up, np.array([0.0, *usual, 255.0])))
